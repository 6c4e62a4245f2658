"""One run a result set at once."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.base.errors import UserMistake
from tasks.ledger.lock import hold

ROOT = Path(__file__).parents[2]

HOLDS = """
import sys, time
from pathlib import Path
from tasks.ledger.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""

TRIES = """
import sys
from pathlib import Path
from tasks.base.errors import UserMistake
from tasks.ledger.lock import hold
try:
    with hold(Path(sys.argv[1])):
        print("held")
except UserMistake as error:
    print(error)
    sys.exit(2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "out" / ".docmill"
    path.mkdir(parents=True)
    return path


def test_the_second_process_is_told_who_holds_it_and_leaves(folder: Path) -> None:
    with hold(folder):
        second = subprocess.run(
            [sys.executable, "-c", TRIES, str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert second.returncode == 2, second.stderr
    assert f"process {os.getpid()} on {socket.gethostname()}" in second.stdout
    assert str(folder.parent) in second.stdout
    assert "--output" in second.stdout


def test_the_lock_is_free_again_after_its_block(folder: Path) -> None:
    for _ in range(2):
        with hold(folder):
            pass
    with pytest.raises(ZeroDivisionError), hold(folder):
        _ = 1 / 0
    with hold(folder):
        pass


def test_a_process_killed_with_9_leaves_the_lock_free(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        try:
            assert first.stdout.readline() == "held\n"
            with pytest.raises(UserMistake, match=f"process {first.pid} on "), hold(folder):
                pass
        finally:
            first.kill()
            first.wait()
    with hold(folder):
        pass


def test_a_holder_that_cannot_be_read_is_still_a_holder(folder: Path) -> None:
    with hold(folder):
        (folder / "holder.json").write_text("{", encoding="utf-8")
        with pytest.raises(UserMistake, match="another process"), hold(folder):
            pass
