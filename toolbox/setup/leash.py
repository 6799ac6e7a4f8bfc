"""Runs a command, and ends it with all its children as soon as standard input ends.

QGIS holds the other end, so a pip does not outlive a QGIS that is killed. A program of its own: started with the
engine's Python and the command as its arguments, it ends with the command's exit code.
"""

from __future__ import annotations

import os
import signal
import subprocess  # nosec B404  # starting the command is what it is for
import sys
import threading


def main(command: list[str]) -> int:
    """Run the command; its exit code."""
    threading.Thread(target=_watch, daemon=True).start()
    return subprocess.call(command, stdin=subprocess.DEVNULL)  # nosec B603  # the installer's own command, no shell


def _watch() -> None:
    # Not sys.stdin: its lock would be held when the interpreter ends.
    while os.read(0, 4096):
        pass
    if sys.platform == "win32":
        system = os.environ.get("SYSTEMROOT", r"C:\Windows")
        subprocess.call(  # nosec B603  # Windows' own program, by its full path
            [os.path.join(system, "System32", "taskkill.exe"), "/F", "/T", "/PID", str(os.getpid())],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    else:
        # The installer has made this process the leader of a group of its own.
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
