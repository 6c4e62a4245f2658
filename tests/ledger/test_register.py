"""A register's texts are changed one at a time, by threads, processes and machines; where it's away that is said."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tasks.base.errors import StorageFailed, UserMistake
from tasks.ledger.address import address_of
from tasks.ledger.postgres_connection import Database
from tasks.ledger.postgres_register import SCHEMA, PostgresRegister
from tasks.ledger.register import FileRegister, Register
from tests.ledger.server import PASSWORD, PostgresServer

ROOT = Path(__file__).parents[2]
COUNTING = """
import sys
from pathlib import Path
from threading import Barrier
from tasks.ledger.register import FileRegister
register = FileRegister(Path(sys.argv[1]))
for _ in range(100):
    register.change("a", lambda text, _: (str(int(text or 0) + 1), None))
"""


def in_database(server: PostgresServer) -> PostgresRegister:
    return PostgresRegister(Database(address_of(server.url, PASSWORD), SCHEMA, "shared limits", "--share-limits"))


@pytest.fixture(params=["file", "postgres"])
def registers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Register]]:
    """The same register four times, as four processes have it."""
    made: list[FileRegister] | list[PostgresRegister]
    if request.param == "file":
        made = [FileRegister(tmp_path / "folder" / "register") for _ in range(4)]
    else:
        database = request.getfixturevalue("database")
        made = [in_database(database) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: one.open(), made))
    yield list(made)
    for one in made:
        one.close()


def count(register: Register, name: str = "a") -> int:
    def more(text: str, _: float) -> tuple[str, int]:
        return str(int(text or 0) + 1), int(text or 0) + 1

    return register.change(name, more)


def test_no_change_is_lost_where_several_change_a_text_at_once(registers: list[Register]) -> None:
    def many(register: Register) -> None:
        for _ in range(50):
            count(register)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(many, registers))
    assert count(registers[0]) == 201
    assert count(registers[1], "another") == 1


def test_its_clock_is_the_same_for_all_and_goes_on(registers: list[Register]) -> None:
    times = [register.change("a", lambda text, now: (text, now)) for register in registers for _ in range(3)]
    assert times == sorted(times)
    assert times[-1] - times[0] < 60


def test_a_change_that_fails_changes_nothing(registers: list[Register]) -> None:
    def broken(_: str, __: float) -> tuple[str, None]:
        raise ZeroDivisionError

    count(registers[0])
    with pytest.raises(ZeroDivisionError):
        registers[0].change("a", broken)
    assert [count(registers[1]), count(registers[0])] == [2, 3]


def test_processes_share_a_file_without_any_set_up(tmp_path: Path) -> None:
    path = tmp_path / "register"
    words = [sys.executable, "-c", COUNTING, str(path)]
    running = [subprocess.Popen(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}) for _ in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    register = FileRegister(path)
    assert count(register) == 301
    register.close()


def test_a_file_that_was_removed_is_left_for_the_new_one(tmp_path: Path) -> None:
    first, second = FileRegister(tmp_path / "register"), FileRegister(tmp_path / "register")
    assert [count(first), count(second)] == [1, 2]
    for path in tmp_path.iterdir():
        path.unlink()
    assert [count(second), count(first), count(second)] == [1, 2, 3]
    first.close()
    second.close()


def test_a_place_that_cannot_be_used_is_the_users_mistake_and_later_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    register = FileRegister(tmp_path / "file" / "register")
    with pytest.raises(UserMistake, match=r"shared limits in .*file/register can't be used: .*--share-limits"):
        register.open()
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"no database at all" * 100)
    with pytest.raises(UserMistake, match="remove that file"):
        FileRegister(damaged).open()
    with pytest.raises(StorageFailed, match="damaged can't be used"):
        count(FileRegister(damaged))


def test_a_connection_that_is_cut_off_is_made_anew(database: PostgresServer) -> None:
    register = in_database(database)
    register.open()
    assert count(register) == 1
    assert database.cut() == 1
    assert count(register) == 2
    register.close()


def test_a_server_that_is_away_is_said_at_once_and_found_again(database: PostgresServer) -> None:
    register = in_database(database)
    register.open()
    assert count(register) == 1
    database.stop()
    began = time.monotonic()
    with pytest.raises(StorageFailed, match=f"{SCHEMA} at postgresql://.* can't be reached") as caught:
        count(register)
    assert time.monotonic() - began < 2
    assert PASSWORD not in str(caught.value)
    with pytest.raises(UserMistake, match="the shared limits at postgresql://"):
        in_database(database).open()
    database.start()
    assert count(register) == 2
    register.close()


def test_those_who_come_to_a_new_file_at_the_same_moment_all_use_it(tmp_path: Path) -> None:
    """SQLite doesn't wait where several make one file ready for readers beside a writer."""
    together = Barrier(8)

    def open_one(path: Path) -> None:
        together.wait()
        register = FileRegister(path)
        register.open()
        register.close()

    with ThreadPoolExecutor(8) as pool:
        for number in range(40):
            list(pool.map(open_one, [tmp_path / f"{number}.sqlite"] * 8))
