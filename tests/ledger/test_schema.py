"""A file that is no sound ledger is set aside and said so; a wrong answer is never read."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import StorageFailed, UserMistake
from tasks.ledger import tables as schema
from tasks.ledger.records import StoredAnswer
from tasks.ledger.sqlite import SqliteStore, doubt_mark
from tasks.ledger.state import local_ledger
from tasks.ledger.statements import ASSIGN
from tasks.ledger.tables import VERSION, prepare, set_aside_if_unsound
from tests.ledger.answers import CREATED, JOB, body, call_id, make_ledger, record

ROOT = Path(__file__).parents[2]
ANSWERS = 3000
PAGE = 4096
SIDES = ("-wal", "-shm", "")


@cache
def _sound(answers: int) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        make_ledger(path, answers, 200)
        with closing(SqliteStore(path)) as store:
            store.write_many(ASSIGN, [(f"d{number}", JOB, "work", "assigned", 1) for number in range(answers)])
        return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound ledger of some thousand answers, closed."""
    one = tmp_path / "ledger.sqlite"
    one.write_bytes(_sound(ANSWERS))
    return one


def _in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(random.Random(1).randbytes(path.stat().st_size // 3))


def _one_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // PAGE * PAGE)
        file.write(random.Random(2).randbytes(PAGE))


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _cut_within_a_page(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1000)


def _only_the_first_page(path: Path) -> None:
    os.truncate(path, PAGE)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _garbage(path: Path) -> None:
    path.write_bytes(b"These are someone's notes, not a database at all. " * 50)


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE answers RENAME COLUMN body TO text")


def _version_1(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE answers (call_id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID")
        connection.execute("INSERT INTO answers VALUES (?, ?)", (call_id(1), body(1)))
        connection.execute("PRAGMA user_version=1")


def _version_99(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")


def _of_version(version: int, path: Path) -> None:
    """Make the file one of an earlier version, with what it held then."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE exchanges")
        connection.execute("DROP TABLE texts") if version == 2 else None
        connection.execute("CREATE INDEX documents_of_job ON documents (job_id, status)") if version < 4 else None
        connection.execute(f"PRAGMA user_version={version}")


SPOILS = {
    _in_the_middle: "damaged", _one_page: "damaged", _cut: "damaged", _cut_within_a_page: "damaged",
    _only_the_first_page: "damaged", _empty: "empty", _garbage: "damaged", _zeros: "damaged",
    _other_tables: "damaged", _version_1: f"of version 1, not {VERSION}", _version_99: "of version 99",
}  # fmt: skip


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_ledger_of_an_earlier_version_is_taken_on_with_all_that_it_holds(path: Path, version: int) -> None:
    _of_version(version, path)
    for _ in range(2):
        ledger = local_ledger(path)
        try:
            assert ledger.notice is None
            kept = ledger.answer(call_id(ANSWERS - 1))
            assert kept is not None
            assert kept.reply.body == body(ANSWERS - 1, 200)
            assert len(ledger.seen(["d1", "d2", "d3"])) == 3
            assert ledger.texts(["a text"]) == {}
        finally:
            ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


@pytest.mark.parametrize(("spoil", "words"), SPOILS.items())
def test_what_is_no_sound_ledger_is_set_aside_whole_and_nothing_of_it_is_read(
    path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(path)
    spoiled = path.read_bytes()

    ledger = local_ledger(path)
    try:
        assert ledger.notice is not None
        assert words in ledger.notice
        [aside] = path.parent.glob("ledger.sqlite.aside-*")
        assert aside.name in ledger.notice
        assert aside.read_bytes() == spoiled
        assert all(ledger.answer(call_id(number)) is None for number in range(10))
        assert ledger.seen(["d1"]) == {}
        assert ledger.new_part() == 1
        ledger.begin("work", "summarize")
        record(ledger, 1, b"anew")
    finally:
        ledger.close()

    again = local_ledger(path)
    try:
        assert again.notice is None
        kept = again.answer(call_id(1))
        assert kept is not None
        assert kept.reply.body == b"anew"
    finally:
        again.close()


def test_what_lies_beside_a_ledger_is_set_aside_with_it(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version=99")  # in the log alone, which stays while somebody has it open
        log = Path(f"{path}-wal").read_bytes()
        notice = set_aside_if_unsound(path, doubt_mark(path))
        assert notice is not None
        [aside] = (one for one in path.parent.glob("*.aside-*") if one.name[-1].isdigit())
        assert Path(f"{aside}-wal").read_bytes() == log
        assert Path(f"{aside}-shm").exists()
        assert not [one for one in path.parent.iterdir() if not one.name.startswith(aside.name)]


@pytest.mark.parametrize("spoil", [_garbage, _empty, _zeros])
def test_a_log_without_its_ledger_is_not_read_into_the_new_one(path: Path, spoil: Callable[[Path], None]) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("DELETE FROM answers WHERE number > 5")
        other.commit()
        log = Path(f"{path}-wal").read_bytes()
    spoil(path)
    Path(f"{path}-wal").write_bytes(log)
    ledger = local_ledger(path)
    assert ledger.notice is not None
    assert all(ledger.answer(call_id(number)) is None for number in range(10))
    ledger.close()


def test_a_ledger_that_is_not_there_is_begun_without_a_word(tmp_path: Path) -> None:
    ledger = local_ledger(tmp_path / "ledger.sqlite")
    assert ledger.notice is None
    ledger.close()


def test_a_sound_ledger_is_never_set_aside(path: Path) -> None:
    for _ in range(3):
        ledger = local_ledger(path)
        assert ledger.notice is None
        assert all(ledger.answer(call_id(number)) for number in range(ANSWERS))
        ledger.close()
    assert [one.name for one in path.parent.iterdir()] == [path.name]


DIES = """
import os, sys
from pathlib import Path
from tasks.ledger.state import local_ledger
from tests.ledger.answers import finished, record, record_all

ledger = local_ledger(Path(sys.argv[1]))
ledger.begin("work", "summarize")
record_all(ledger, range(1000))
ledger.finish([finished(str(number)) for number in range(1000)], {str(number): 1 for number in range(1000)}, "work")
record(ledger, "last")
os.kill(os.getpid(), 9)
"""


def test_a_ledger_with_a_hot_log_after_a_kill_is_sound_even_where_it_is_doubted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    for doubted in (False, True):
        died = subprocess.run([sys.executable, "-c", DIES, str(path)], cwd=ROOT, check=False, timeout=60)
        assert died.returncode == -9
        assert Path(f"{path}-wal").stat().st_size
        if doubted:
            doubt_mark(path).touch()
        ledger = local_ledger(path)
        assert ledger.notice is None
        assert all(ledger.answer(call_id(number)) for number in [*range(1000), "last"])
        ledger.close()


@pytest.mark.parametrize("statements", range(9))
def test_a_ledger_whose_making_was_broken_off_is_no_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statements: int
) -> None:
    """Whatever came before the break is rolled back: nothing of the tables, or all."""
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.set_authorizer(_denying_after(statements))
    with pytest.raises(sqlite3.DatabaseError):
        prepare(connection)
    connection.close()
    assert set_aside_if_unsound(path, doubt_mark(path)) is None or not statements


def _denying_after(statements: int) -> Callable[..., int]:
    made = 0

    def decide(action: int, *_: object) -> int:
        nonlocal made
        made += action in (sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_PRAGMA)
        return sqlite3.SQLITE_DENY if made > statements else sqlite3.SQLITE_OK

    return decide


# What isn't damage


def test_a_folder_that_can_not_be_read_is_the_users_mistake(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.mkdir()
    with pytest.raises(UserMistake, match="can't be opened.*another --output"):
        local_ledger(path)
    assert path.is_dir()


def test_a_ledger_that_another_program_has_locked_is_the_users_mistake(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        connect = sqlite3.connect
        monkeypatch.setattr(sqlite3, "connect", lambda path, **_: connect(path, timeout=0.01))
        with pytest.raises(UserMistake, match="locked"):
            local_ledger(path)
        other.rollback()
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.aside-*"))


def test_a_ledger_that_can_not_be_set_aside_is_the_users_mistake(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _garbage(path)

    def refused(self: Path, target: object) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(UserMistake, match="damaged.*can't be moved.*another --output"):
        local_ledger(path)
    assert path.exists()


# Doubt


def _change(path: Path, find: bytes, put: bytes) -> None:
    """Replace bytes that occur once."""
    before, after = path.read_bytes().split(find)
    path.write_bytes(before + put + after)


def _change_an_answer(path: Path) -> None:
    _change(path, body(1234), body(1234).replace(b"answer", b"Answer", 1))


def _change_an_id(path: Path, number: int) -> str:
    """Change the last digit of a call's id in the index, and return what it is then."""
    was, data = call_id(number), path.read_bytes()
    first = data.index(was.encode())
    [place] = [one for one in (first, data.index(was.encode(), first + 1)) if not data[one + 64 :].startswith(b"summ")]
    now = was[:-1] + ("0" if was[-1] != "0" else "1")
    path.write_bytes(data[:place] + now.encode() + data[place + 64 :])
    return now


def test_a_changed_byte_of_an_answer_is_told_and_the_next_opening_sets_the_ledger_aside(path: Path) -> None:
    _change_an_answer(path)

    ledger = local_ledger(path)
    assert ledger.notice is None
    assert ledger.answer(call_id(1233)) is not None
    with pytest.raises(StorageFailed, match="run the same command again"):
        ledger.answer(call_id(1234))
    ledger.close()

    assert doubt_mark(path).exists()
    ledger = local_ledger(path)
    assert ledger.notice is not None
    assert call_id(1234) in ledger.notice
    assert not doubt_mark(path).exists()
    ledger.close()


def test_an_index_that_points_to_another_answer_is_told_and_the_next_opening_sets_the_ledger_aside(path: Path) -> None:
    another = _change_an_id(path, 1234)

    ledger = local_ledger(path)
    assert ledger.notice is None
    with pytest.raises(StorageFailed, match="run the same command again"):
        ledger.answer(another)
    ledger.close()

    ledger = local_ledger(path)
    assert ledger.notice is not None
    ledger.close()


@pytest.mark.parametrize("spoil", [_change_an_answer, lambda path: _change_an_id(path, 1234)])
def test_the_mark_of_doubt_leads_to_a_full_check(path: Path, spoil: Callable[[Path], object]) -> None:
    spoil(path)
    assert set_aside_if_unsound(path, doubt_mark(path)) is None
    doubt_mark(path).touch()
    assert set_aside_if_unsound(path, doubt_mark(path)) is not None


class Never:
    """A timer that never goes off."""

    def __init__(self, seconds: float, interrupt: Callable[[], None]) -> None:
        self.interrupt = interrupt

    def start(self) -> None: ...

    def cancel(self) -> None: ...

    def join(self) -> None: ...


class AtOnce(Never):
    """A timer that goes off in the midst of the next statement."""

    def start(self) -> None:
        connection: sqlite3.Connection = self.interrupt.__self__  # type: ignore[attr-defined]
        connection.set_progress_handler(lambda: 1, 100)


def test_a_check_that_takes_too_long_is_broken_off_and_only_a_doubted_ledger_is_checked_to_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema=1")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'latency_ms INTEGER NOT NULL', 'latency_ms INTEGER')"
        )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE answers SET latency_ms = NULL WHERE number = ?", (ANSWERS,))
        connection.execute("PRAGMA writable_schema=1")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'latency_ms INTEGER', 'latency_ms INTEGER NOT NULL')"
        )
    for timer, doubted, kept in ((Never, False, False), (AtOnce, False, True), (AtOnce, True, False)):
        copy = path.with_name(f"copy-{timer.__name__}-{doubted}")
        copy.write_bytes(path.read_bytes())
        monkeypatch.setattr(schema, "Timer", timer)
        if doubted:
            doubt_mark(copy).touch()
        assert (set_aside_if_unsound(copy, doubt_mark(copy)) is None) == kept


def test_a_sound_ledger_that_was_doubted_is_kept_and_the_mark_removed(path: Path) -> None:
    doubt_mark(path).touch()
    ledger = local_ledger(path)
    assert ledger.notice is None
    assert not doubt_mark(path).exists()
    assert ledger.answer(call_id(1)) is not None
    ledger.close()


def test_a_mark_of_doubt_stays_while_the_ledger_could_not_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.mkdir()
    doubt_mark(path).touch()
    with pytest.raises(UserMistake):
        local_ledger(path)
    assert doubt_mark(path).exists()


def test_damage_that_a_write_meets_is_told_and_leaves_the_ledger_in_doubt(path: Path) -> None:
    store = SqliteStore(path)
    with path.open("r+b") as file:
        file.seek(2 * PAGE)
        file.write(random.Random(3).randbytes(path.stat().st_size - 2 * PAGE))
    with pytest.raises(StorageFailed, match="run the same command again"):
        store.write("UPDATE documents SET part = part + 1")
    assert doubt_mark(path).exists()
    store.close()
    assert set_aside_if_unsound(path, doubt_mark(path)) is not None


# Any byte

FEW = 60
DAMAGES = st.lists(
    st.tuples(st.integers(0, 2**32), st.integers(1, 255)) | st.tuples(st.integers(0, 99), st.integers(1, 255)),
    min_size=1,
    max_size=4,
)


@given(DAMAGES)
@settings(max_examples=250, deadline=None)
def test_whatever_bytes_are_flipped_no_answer_is_wrong(flips: list[tuple[int, int]]) -> None:
    data = bytearray(_sound(FEW))
    for place, bits in flips:
        data[place % len(data)] ^= bits
    _open_and_read(bytes(data))


@given(st.integers(0, 2**32), st.binary(min_size=1, max_size=2 * PAGE))
@settings(max_examples=100, deadline=None)
def test_whatever_is_written_over_it_no_answer_is_wrong(place: int, junk: bytes) -> None:
    data = _sound(FEW)
    place %= len(data)
    _open_and_read((data[:place] + junk + data[place + len(junk) :])[: len(data)])


def _open_and_read(data: bytes) -> None:
    """A ledger is set aside, or answers right; where it fails it is set aside the next time."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        path.write_bytes(data)
        try:
            notice = _all_right(path)
        except StorageFailed:
            notice = _all_right(path)
            assert notice is not None
        assert bool(notice) == bool(list(path.parent.glob("*.aside-*")))


def _all_right(path: Path) -> str | None:
    ledger = local_ledger(path)
    try:
        for number in range(FEW):
            kept = ledger.answer(call_id(number))
            # A call that the damaged index doesn't know any more is only paid anew.
            assert kept is None or _is_right(kept, number)
        return ledger.notice
    finally:
        ledger.close()


def _is_right(kept: StoredAnswer, number: int) -> bool:
    reply = (kept.reply.status, kept.reply.body)
    rest = (kept.job_id, kept.document_id, kept.attempts, kept.latency_ms, kept.created_at.timestamp())
    return reply == (200, body(number)) and rest == (JOB, f"d{number}", 1, 31, CREATED)
