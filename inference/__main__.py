"""``python inference COMMAND ...``: the engine's way in.

Whatever the checkout folder is called, the package is known as ``fusion_mapper``: relative imports, pickles of worker
processes and tests then all mean the same modules.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "fusion_mapper"


def _register() -> None:
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} is not the plugin's folder.")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    # A crash of a native library says where it was; the log is all that its user can send.
    faulthandler.enable(all_threads=False)
    # The folder of this file is on sys.path, where its modules would hide others of the same name.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT / "inference"]
    if PACKAGE not in sys.modules:
        _register()
    from fusion_mapper.inference.channel import forbid_telemetry, leave, take_standard_output

    channel = take_standard_output()
    forbid_telemetry()
    from fusion_mapper.inference.cli import main

    leave(main(sys.argv[1:], channel))
