"""Check everything, the same as CI: `python -m tests.check`."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).parents[1]
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    # Many tests wait for a server or a process: one worker more than CI has cores.
    ("pytest", "-n", "3"),
)
BESIDE = ("mypy",)


def main() -> int:
    """Run every check, even after one has failed; return how many failed."""
    with TemporaryFile() as said:
        beside = subprocess.Popen(command(BESIDE), cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        failed = sum(ran(check) for check in CHECKS)
        failed += beside.wait() != 0
        announce(BESIDE)
        said.seek(0)
        sys.stdout.write(said.read().decode())
    return failed


def ran(check: tuple[str, ...]) -> bool:
    """Run a check; return whether it failed."""
    announce(check)
    return subprocess.run(command(check), cwd=ROOT, check=False).returncode != 0


def command(check: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", *check]


def announce(check: tuple[str, ...]) -> None:
    sys.stdout.write(f"--- {' '.join(check)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
