"""Check everything, the same as CI: `python -m tests.check`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("pytest",),
)


def main() -> int:
    """Run every check, even after one has failed; return how many failed."""
    failed = 0
    for check in CHECKS:
        sys.stdout.write(f"--- {' '.join(check)}\n")
        sys.stdout.flush()
        failed += subprocess.run([sys.executable, "-m", *check], cwd=ROOT, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
