"""Names each finding that ``detect-secrets scan`` reports on standard input; exits with 1 if there is one."""

from __future__ import annotations

import json
import sys


def main() -> int:
    """Print the findings; return the exit code."""
    findings = json.load(sys.stdin)["results"]
    for path, secrets in findings.items():
        for secret in secrets:
            print(f"{path}:{secret['line_number']}: {secret['type']}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
