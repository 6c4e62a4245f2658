"""The laws of a result set's place are the same in a folder, in memory, and in a bucket."""

import sys
import threading
import uuid
from pathlib import Path
from typing import BinaryIO

import duckdb
import fsspec
import pytest
from fsspec.registry import _registry

from tasks.base.errors import StorageFailed, StorageRefused, UserMistake
from tasks.results.footers import footers
from tasks.results.location import Folder, folder_at, named_place
from tasks.results.parts import create_tables, read_part, write_part
from tasks.results.schemas import TABLES
from tests.buckets import Store
from tests.results.test_parts import row

PLACES = ("local", "file", "memory", "s3")


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("s3")) + "/some/folder"
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}/out"
    return str(tmp_path / "o t") if request.param == "local" else (tmp_path / "o t").as_uri()


@pytest.fixture
def at(place: str) -> Folder:
    found = folder_at(named_place(place))
    create_tables(found)
    return found


def put(folder: Folder, name: str, data: bytes) -> None:
    def write(file: BinaryIO) -> None:
        file.write(data)

    folder.replace(name, write)


def write(folder: Folder, names: list[str], words: str) -> None:
    tables = {
        "documents": [row("documents", name, output=words) for name in names],
        "calls": [row("calls", name, output=words) for name in names],
    }
    write_part(folder, 1, names, tables)


def documents(folder: Folder) -> dict[str, str]:
    held = [one for name in folder.parts("documents") for one in read_part(folder, name).to_pylist()]
    found = {one["document_id"]: one["output"] for one in held}
    assert len(found) == len(held), "two rows of one document"
    return found


def test_every_table_has_a_part_from_the_start(at: Folder) -> None:
    assert {name: list(at.parts(name)) for name in TABLES} == {name: [f"{name}/part-000000.parquet"] for name in TABLES}
    assert {footer.rows for footer in footers(at, TABLES).values()} == {0}


def test_what_is_put_is_there_and_what_is_not_is_none(at: Folder) -> None:
    put(at, "job.json", b"0123456789")
    assert at.read("job.json") == b"0123456789"
    assert at.read("job.json", 7) == b"789"
    assert at.read("nothing.json") is None
    assert at.parts("nothing") == {}


def test_parts_come_in_order_with_their_bytes_and_nothing_else(at: Folder) -> None:
    for number in (11, 2):
        put(at, f"calls/part-{number:06d}.parquet", b"x" * number)
    put(at, "calls/notes.txt", b"mine")
    found = at.parts("calls")
    assert list(found) == [f"calls/part-{number:06d}.parquet" for number in (0, 2, 11)]
    assert list(found.values())[1:] == [2, 11]


def test_a_write_that_breaks_off_leaves_what_was_there_and_nothing_beside_it(at: Folder) -> None:
    put(at, "calls/part-000001.parquet", b"old")
    before = everything(at)

    def half(file: BinaryIO) -> None:
        file.write(b"half of the new")
        raise ZeroDivisionError

    for name in ("calls/part-000001.parquet", "calls/part-000002.parquet"):
        with pytest.raises(ZeroDivisionError):
            at.replace(name, half)
    assert everything(at) == before


def everything(folder: Folder) -> dict[str, bytes]:
    files = fsspec.core.url_to_fs(str(folder.path or folder.location), use_listings_cache=False)
    return {name: files[0].cat_file(name) for name in files[0].find(files[1])}


def test_the_rows_of_a_changed_document_take_the_old_ones_place(at: Folder) -> None:
    write(at, ["a", "b", "c"], "first")
    write(at, ["b", "d"], "second")
    assert documents(at) == {"a": "first", "b": "second", "c": "first", "d": "second"}


def test_a_reader_meanwhile_finds_exactly_one_row_a_document(at: Folder) -> None:
    names = [f"d{number}" for number in range(20)]
    write(at, names, "first")
    ended, looks = threading.Event(), list[list[str]]()

    def read() -> None:
        while not ended.is_set():
            looks.append(sorted(documents(at)))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(15):
        write(at, names[number % 7 :], f"round {number}")
    ended.set()
    reader.join()
    assert len(looks) > 3
    assert [look for look in looks if look != sorted(names)] == []


def test_a_part_cut_short_or_empty_has_no_footer_and_is_written_anew(at: Folder) -> None:
    write(at, ["a"], "first")
    whole = at.read("documents/part-000001.parquet")
    assert whole is not None
    for junk in (whole[: len(whole) // 2], b""):
        put(at, "documents/part-000001.parquet", junk)
        assert "documents/part-000001.parquet" not in footers(at, TABLES)
        write(at, ["a"], "again")
        assert documents(at) == {"a": "again"}


def test_a_part_damaged_in_its_midst_pauses_rather_than_lose_its_other_documents(at: Folder) -> None:
    write(at, ["a", "b"], "first")
    whole = at.read("documents/part-000001.parquet")
    assert whole is not None
    spoilt = whole[:4] + bytes(byte ^ 255 for byte in whole[4:200]) + whole[200:]
    put(at, "documents/part-000001.parquet", spoilt)
    with pytest.raises(StorageFailed, match=r"documents/part-000001\.parquet is damaged: remove it"):
        write(at, ["b"], "second")
    assert at.read("documents/part-000001.parquet") == spoilt


def test_a_footer_longer_than_what_is_read_of_it_is_read_all_the_same(
    at: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.results.footers.TAIL", 16)
    write(at, ["a", "b"], "first")
    assert footers(at, TABLES)["documents/part-000001.parquet"].rows == 2


def test_duckdb_reads_a_bucket_while_it_is_written(s3: str) -> None:
    folder = folder_at(s3 + "/out")
    create_tables(folder)
    with duckdb.connect() as connection:
        connection.register_filesystem(fsspec.filesystem("s3", use_listings_cache=False))
        for count in (1, 2):
            write(folder, ["a", "b"][:count], "words")
            sql = f"select count(*) from '{s3}/out/documents/*.parquet'"
            assert connection.execute(sql).fetchone() == (count,)


REFUSALS = {
    (403, "AccessDenied"): StorageRefused,
    (403, "InvalidAccessKeyId"): StorageRefused,
    (404, "NoSuchBucket"): StorageRefused,
    (403, "QuotaExceeded"): StorageFailed,
    (507, "InsufficientStorage"): StorageFailed,
    (503, "ServiceUnavailable"): StorageFailed,
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_bucket_that_refuses_leaves_what_was_there(s3: str, store: Store, refusal: tuple[int, str]) -> None:
    folder = folder_at(s3 + "/out")
    create_tables(folder)
    write(folder, ["a", "b"], "first")
    before = everything(folder)
    store.refuse = lambda method, path: refusal if method == "PUT" and "/documents/" in path else None
    with pytest.raises(StorageFailed, match=rf"{s3}/out/documents/part-000001\.parquet can't be written: .*: ") as got:
        write(folder, ["b"], "second")
    assert type(got.value) is REFUSALS[refusal]
    assert "\n" not in str(got.value)
    store.refuse = lambda _, __: None
    after = everything(folder)
    assert {name for name in before if before[name] != after[name]} <= {f"{s3[5:]}/out/calls/part-000001.parquet"}
    assert documents(folder) == {"a": "first", "b": "first"}


def test_a_read_that_fails_is_never_taken_for_an_absent_part(s3: str, store: Store) -> None:
    folder = folder_at(s3 + "/out")
    create_tables(folder)
    write(folder, ["a", "b"], "first")
    store.refuse = lambda method, path: (500, "InternalError") if method == "GET" and "/documents/" in path else None
    with pytest.raises(StorageFailed, match="can't be read"):
        write(folder, ["b"], "second")
    store.refuse = lambda _, __: None
    assert documents(folder) == {"a": "first", "b": "first"}


def test_a_lost_connection_pauses_and_names_the_place(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageFailed, match=f"{s3}/gone/.*Could not connect.*run the same command again") as got:
        folder_at(s3 + "/gone").make([])
    assert not isinstance(got.value, StorageRefused)


def test_a_bucket_that_is_not_there_is_the_users_mistake(s3: str) -> None:
    with pytest.raises(StorageRefused, match=f"{s3}-not/out/.* can't be written: there is no such bucket: make it"):
        create_tables(folder_at(f"{s3}-not/out"))


def test_a_user_without_keys_is_told_to_set_them(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(StorageRefused, match="it has no keys: set them in the environment"):
        create_tables(folder_at(s3 + "/keyless"))


@pytest.mark.parametrize(
    "place",
    [
        "s3://AKIA0SECRET:hush-hush@bucket/out",
        "s3://AKIA0SECRET@bucket/out",
        "s3://bucket/out?secret=hush-hush",
        "abfs://container:hush-hush@account.dfs.core.windows.net/out",
    ],
)
def test_a_key_in_a_url_is_refused_and_not_repeated(place: str) -> None:
    with pytest.raises(UserMistake, match="set it in the environment") as got:
        named_place(place)
    assert "hush" not in str(got.value)
    assert "SECRET" not in str(got.value)


@pytest.mark.parametrize("place", ["", "  ", "s3://", "s3:///out", "http://host/out", "ftp://host/out"])
def test_a_place_that_cannot_be_is_refused_with_one_that_can(place: str) -> None:
    with pytest.raises(UserMistake, match=r"folder|s3://"):
        named_place(place)


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("output/summarize", "output/summarize"),
        ("S3://bucket/a b", "s3://bucket/a b"),
        ("abfs://container@account.dfs.core.windows.net/out", "abfs://container@account.dfs.core.windows.net/out"),
        ("file:///tmp/x", "file:///tmp/x"),
    ],
)
def test_a_place_is_kept_as_it_was_named(place: str, kept: str) -> None:
    assert named_place(place) == kept


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("abfs", "adlfs")])
def test_a_package_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, scheme: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(_registry, scheme, raising=False)
    with pytest.raises(UserMistake, match=rf"^{scheme}:// needs {package}: pip install 'docmill\[\w+\]'$"):
        folder_at(f"{scheme}://bucket-{uuid.uuid4().hex}/out")
