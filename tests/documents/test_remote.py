import gzip
import io
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
from aiohttp import web
from fsspec.implementations.memory import MemoryFile
from moto.server import ThreadedMotoServer

from tasks.base.errors import DocumentFailed, JobPaused, UserMistake
from tasks.documents import object_store as remote
from tasks.documents.document import Document, Remote
from tasks.documents.extract import extract
from tasks.documents.listing import list_documents
from tasks.documents.object_store import fetch, said, shown
from tasks.documents.sources import identity_of
from tests.documents.made import docx, pdf
from tests.loopback import served


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def forget() -> None:
    """Stores are opened anew from now on, by the environment as it is then."""
    remote._opened.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> "Bucket":
    """A new bucket, reached by the environment alone."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    forget()
    return Bucket(s3)


class Bucket:
    """A bucket of its own for each test."""

    def __init__(self, endpoint: str) -> None:
        self.name = f"b-{uuid.uuid4().hex[:8]}"
        self.url = f"s3://{self.name}"
        self._client = boto3.client("s3", endpoint_url=endpoint)
        self._client.create_bucket(Bucket=self.name)

    def put(self, objects: dict[str, Any]) -> None:
        for key, content in objects.items():
            self._client.put_object(Bucket=self.name, Key=key, Body=content)

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=key)


@pytest.fixture
def memory() -> Iterator[str]:
    """A folder in memory."""
    root = f"memory://{uuid.uuid4().hex[:8]}"
    yield root
    fsspec.filesystem("memory").store.clear()


def put(root: str, objects: dict[str, Any]) -> None:
    for name, content in objects.items():
        with fsspec.open(f"{root}/{name}", "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())


def listed(*inputs: str, **words: Any) -> list[Document]:
    return list(list_documents(inputs, **words))


def ids(*inputs: str, **words: Any) -> list[str]:
    return [document.document_id for document in listed(*inputs, **words)]


def mistake(*inputs: str, **words: Any) -> str:
    with pytest.raises(UserMistake) as refused:
        listed(*inputs, **words)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def table(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


TREE = {"b.txt": "B", "a/z.txt": "Z", "a/b/c.md": "C", "a/B.txt": "b", "a.txt": "A", ".hidden": "h", "a/.git/x": "x"}


def test_a_prefix_of_a_bucket_is_listed_and_read_as_a_folder(bucket: Bucket) -> None:
    bucket.put({f"in/{name}": text for name, text in TREE.items()} | {"in/empty/": "", "other.txt": "o"})
    documents = listed(f"{bucket.url}/in")
    assert [document.document_id for document in documents] == ["a/B.txt", "a/b/c.md", "a/z.txt", "a.txt", "b.txt"]
    assert [document.source for document in documents][:2] == [
        f"{bucket.url}/in/a/B.txt",
        f"{bucket.url}/in/a/b/c.md",
    ]
    assert [(extract(document).text, document.size) for document in documents] == [(text, 1) for text in "bCZAB"]
    assert ids(bucket.url)[0] == "in/a/B.txt"


def test_a_folder_in_memory_has_the_identifiers_of_one_on_the_disk(memory: str, tmp_path: Path) -> None:
    put(memory, TREE)
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert sorted(ids(memory)) == sorted(ids(str(tmp_path)))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("*/*.txt", ["a/B.txt", "a/z.txt"]),
        ("**/*.txt", ["a/B.txt", "a/z.txt", "a.txt", "b.txt"]),
        ("a/**/*.md", ["b/c.md"]),
        ("**", ["a/B.txt", "a/b/c.md", "a/z.txt", "a.txt", "b.txt"]),
        ("a/[Bz].txt", ["B.txt", "z.txt"]),
        ("?/*/*", ["a/b/c.md"]),
    ],
)
def test_a_glob_matches_from_the_part_before_its_first_wildcard(memory: str, pattern: str, expected: list[str]) -> None:
    put(memory, TREE)
    assert ids(f"{memory}/{pattern}") == expected


def test_an_object_is_called_by_its_name_and_changes_are_seen(bucket: Bucket) -> None:
    bucket.put({"deep/a.txt": "first"})
    (document,) = listed(f"{bucket.url}/deep/a.txt")
    assert (document.document_id, document.source) == ("a.txt", f"{bucket.url}/deep/a.txt")
    assert ids(f"{bucket.url}/deep") == ["a.txt"]
    bucket.put({"deep/a.txt": "second", "deep/b.txt": "new"})
    assert extract(document).text == "second"
    assert ids(f"{bucket.url}/deep") == ["a.txt", "b.txt"]


def test_other_formats_are_read_from_a_store_too(bucket: Bucket) -> None:
    bucket.put(
        {
            "a.pdf": pdf([["Of the mill"]]),
            "b.docx": docx(("Normal", "Of the miller")),
            "c.txt.gz": gzip.compress(b"Of the flour"),
            "d.py": "def grind():\n    return 1\n",
            "e.md": "# Title\n\nText\n",
        }
    )
    contents = [extract(document) for document in listed(bucket.url)]
    texts = [content.text.strip() for content in contents]
    assert texts[1:3] == ["Of the miller", "Of the flour"]
    assert "Of the mill" in texts[0]
    assert contents[3].code
    assert [section.title for section in contents[4].sections] == ["Title"]


def test_an_object_that_has_gone_fails_by_name(bucket: Bucket) -> None:
    bucket.put({"a.txt": "x"})
    (document,) = listed(bucket.url)
    bucket.remove("a.txt")
    with pytest.raises(DocumentFailed, match="it isn't there any more") as failed:
        extract(document)
    assert failed.value.reason == "unreadable"


ROWS = {"body": ["one", "two"], "id": ["1", "2"]}


def test_tables_in_a_bucket_are_read_alone_and_as_datasets(bucket: Bucket) -> None:
    lines = "".join(json.dumps({"body": f"line {number}", "id": f"l{number}"}) + "\n" for number in range(2))
    bucket.put(
        {
            "t/year=2025/part-0.parquet": table(**ROWS),
            "t/year=2026/part-0.jsonl.gz": gzip.compress(lines.encode()),
            "t/year=2026/part-1.csv": "id;body\nc;cell\n",
            "t/_SUCCESS": "",
        }
    )
    alone = listed(f"{bucket.url}/t/year=2025/part-0.parquet", text_column="body")
    assert [(document.document_id, document.text) for document in alone] == [("0", "one"), ("1", "two")]
    found = listed(f"{bucket.url}/t", text_column="body", id_column="id", columns=("year",))
    assert [(document.document_id, document.text, document.columns) for document in found] == [
        ("1", "one", {"year": 2025}),
        ("2", "two", {"year": 2025}),
        ("l0", "line 0", {"year": 2026}),
        ("l1", "line 1", {"year": 2026}),
        ("c", "cell", {"year": 2026}),
    ]
    assert found[0].source == f"{bucket.url}/t/year=2025/part-0.parquet#row=0"
    assert ids(f"{bucket.url}/t/*/*.csv", text_column="body") == ["year=2026/part-1.csv#0"]


def test_of_a_large_table_only_the_parts_needed_are_fetched(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = table(body=["short"] * 1000, other=[uuid.uuid4().hex * 300 for _ in range(1000)])
    put(memory, {"t.parquet": data})
    read: list[int] = []
    system = fsspec.filesystem("memory")
    plain = type(system)._open

    def counted(self: Any, path: str, *args: Any, **words: Any) -> Any:
        file = plain(self, path, *args, **words)
        whole = file.read

        def counting(length: int = -1) -> bytes:
            got: bytes = whole(length)
            read.append(len(got))
            return got

        file.read = counting
        return file

    monkeypatch.setattr(type(system), "_open", counted)
    assert len(listed(f"{memory}/t.parquet", text_column="body")) == 1000
    assert 0 < sum(read) < len(data) / 5


@pytest.mark.parametrize(("name", "content"), [("t.jsonl", b'{"body": "x"}\n' * 200_000), ("t.parquet", None)])
def test_a_store_that_fails_amid_a_table_pauses_the_job_and_loses_no_row(
    memory: str, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None
) -> None:
    put(memory, {name: content or table(body=[os.urandom(600).hex() for _ in range(12_000)])})
    reads = 0

    def failing(file: io.BytesIO, size: int | None = -1, /) -> bytes:
        nonlocal reads
        reads += 1
        if reads > 2 + (content is None):
            raise ConnectionResetError("reset")
        return io.BytesIO.read(file, size)

    monkeypatch.setattr(MemoryFile, "read", failing, raising=False)
    documents = list_documents([f"{memory}/{name}"], text_column="body")
    assert next(documents).document_id == "0"
    with pytest.raises(JobPaused, match=r"can't be read any more after row \d+: reset"):
        list(documents)


def test_a_result_set_in_a_store_is_never_read_as_documents(memory: str) -> None:
    put(
        memory,
        {"a.txt": "A", "old/job.json": "{}", "old/documents/p.parquet": "x", "out/x.txt": "x", "s/.docmill/l": ""},
    )
    assert ids(memory, skip=f"{memory}/out") == ["a.txt"]
    assert ids(memory, skip=f"{memory}/out/") == ["a.txt"]
    assert ids(memory, skip="s3://elsewhere/out") == ids(memory) == ["a.txt", "out/x.txt"]
    for results in (f"{memory}/old", f"{memory}/s"):
        assert "is, or is to be, a result set" in mistake(results)
    assert "is, or is to be, a result set" in mistake(memory, skip=memory)


def test_what_is_not_there_is_refused_by_name(bucket: Bucket, memory: str) -> None:
    bucket.put({"a.txt": "x"})
    assert mistake(f"{bucket.url}/b.txt") == f"{bucket.url}/b.txt: no such file, folder or bucket"
    assert mistake("s3://no-such-bucket/in") == "s3://no-such-bucket/in: no such file, folder or bucket"
    assert mistake(f"{memory}/x") == f"{memory}/x: no such file, folder or bucket"
    assert "no documents in" in mistake(f"{bucket.url}/*.md")
    assert "needs --text-column" in mistake(_put(bucket, "t.csv"))
    assert "no table in" in mistake(f"{bucket.url}/a*", text_column="body")
    assert "no wildcard in the name of a bucket" in mistake("s3://b*/x")


def _put(bucket: Bucket, name: str) -> str:
    bucket.put({name: "body\nx\n"})
    return f"{bucket.url}/{name}"


def test_a_store_without_credentials_is_refused_in_one_line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    forget()
    assert mistake(f"{bucket.url}/a") == f"{bucket.url}/a: can't be read: Unable to locate credentials"


def test_a_store_that_nobody_answers_for_is_refused_in_one_line(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    forget()
    assert mistake(f"{bucket.url}/a").startswith(f"{bucket.url}/a: can't be read: Could not connect to the endpoint")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(url: str, **_: Any) -> Any:
        raise ImportError(url)

    forget()
    monkeypatch.setattr(remote, "url_to_fs", absent)
    assert mistake("s3://bucket/a") == "s3:// needs s3fs: pip install 'docmill[s3]'"
    assert mistake("gs://bucket/a") == "gs:// needs gcsfs: pip install 'docmill[gs]'"
    assert mistake("abfs://box@account/a") == "abfs:// needs adlfs: pip install 'docmill[azure]'"


@pytest.fixture
def site() -> Iterator[str]:
    """A web server whose files need a signature."""

    async def answer(request: web.Request) -> web.Response:
        files = {"/d/a%20b.txt": b"of the web", "/t.parquet": table(**ROWS), "/t.csv": b"body\nx\n"}
        if request.query.get("signature") != "hush":
            return web.Response(status=403)
        data = files.get(request.raw_path.partition("?")[0])
        if data is None:
            return web.Response(status=404)
        part = request.http_range
        headers = {"Accept-Ranges": "bytes"}
        if part.start is None:
            return web.Response(body=data, headers=headers)
        chosen = data[part]
        start = part.start if part.start >= 0 else len(data) + part.start
        headers["Content-Range"] = f"bytes {start}-{start + len(chosen) - 1}/{len(data)}"
        return web.Response(status=206, body=chosen, headers=headers)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    with served(application) as root:
        yield root


def test_a_single_file_of_the_web_is_read_and_its_signature_never_shown(site: str) -> None:
    (document,) = listed(f"{site}/d/a%20b.txt?signature=hush")
    assert (document.document_id, document.source) == ("a b.txt", f"{site}/d/a%20b.txt")
    assert extract(document).text == "of the web"
    assert "hush" not in repr(document)
    for name in ("t.parquet", "t.csv"):
        (first, *_) = listed(f"{site}/{name}?signature=hush", text_column="body")
        assert (first.document_id, first.source) == ("0", f"{site}/{name}#row=0")
    for path in ("/none.txt?signature=hush", "/t.csv?other=hush"):
        words = mistake(f"{site}{path}")
        assert "hush" not in words
        assert words.startswith(site + path.partition("?")[0])
    assert identity_of(f"{site}/a?signature=hush") == identity_of(f"{site}/a?signature=other") == f"{site}/a"


def test_a_password_in_an_url_is_refused_without_showing_it() -> None:
    words = mistake("https://ann:hush@example.org/a.txt")
    assert words.startswith("https://example.org/a.txt: no user or password in a URL")
    assert "hush" not in words


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a.txt?X-Amz-Signature=hush#part", "https://example.org/a.txt"),
        ("s3://hush:hush@bucket/a?b#c.txt", "s3://bucket/a?b#c.txt"),
        ("abfs://box@account.dfs.core.windows.net/a", "abfs://box@account.dfs.core.windows.net/a"),
        ("reports/a.txt", "reports/a.txt"),
    ],
)
def test_an_url_is_shown_without_what_is_secret(url: str, expected: str) -> None:
    assert shown(url) == expected


def test_what_an_error_says_is_one_line_without_urls_secrets() -> None:
    error = ValueError("no\n luck at 'https://ann:hush@example.org/a?sig=hush', sorry" + "!" * 500)
    assert said(error).startswith("no luck at 'https://example.org/a', sorry!!!")
    assert len(said(error)) == 200


class Shaky:
    """A store that fails so often before it answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error = failures, error

    def cat_file(self, path: str) -> bytes:
        if self.failures:
            self.failures -= 1
            raise self.error
        return path.encode()


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_a_fetch_that_may_heal_is_tried_three_times(failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shaky, waited = Shaky(failures, ConnectionResetError("reset at http://h/?sig=hush")), list[float]()
    monkeypatch.setattr(remote, "_opened", lambda url: remote.ObjectStore(url, shaky, ""))
    place = Remote("memory://x", "/x")
    if failures < 3:
        assert fetch(place, lambda: False, waited.append) == b"/x"
    else:
        with pytest.raises(DocumentFailed, match="can't be fetched: reset at http://h/$") as failed:
            fetch(place, lambda: False, waited.append)
        assert failed.value.reason == "unreadable"
    assert waited == [0.5, 2.0][:failures]


@pytest.mark.parametrize("error", [FileNotFoundError("x"), PermissionError("x")])
def test_a_fetch_that_is_refused_is_not_tried_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    shaky, waited = Shaky(1, error), list[float]()
    monkeypatch.setattr(remote, "_opened", lambda url: remote.ObjectStore(url, shaky, ""))
    with pytest.raises(DocumentFailed, match="the object can't be fetched"):
        fetch(Remote("memory://x", "/x"), lambda: False, waited.append)
    assert waited == []
