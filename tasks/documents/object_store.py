"""Object stores behind URLs, through fsspec; every error there is reported in one line, without secrets."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from fsspec.core import url_to_fs

from tasks.base.errors import DocumentFailed, UserMistake
from tasks.documents.document import Remote

# What a scheme needs: a module, and our extra that brings it.
SCHEMES = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gs"),
    "gcs": ("gcsfs", "gs"),
    "abfs": ("adlfs", "azure"),
    "abfss": ("adlfs", "azure"),
    "az": ("adlfs", "azure"),
    "memory": ("", ""),
    "http": ("", ""),
    "https": ("", ""),
}
WEB = ("http", "https")
AZURE = ("abfs", "abfss", "az")  # container@account: what stands before the @ is no secret there
USER = re.compile(r"(?<=://)[^/@\s]*@")
QUERY = re.compile(r"(://[^\s?'\"]*)\?[^\s'\")]*")
LONGEST_WORDS = 200
GONE = (404, 410)
PAUSES = (0.5, 2.0)  # seconds before a fetch is tried again
FINAL = (FileNotFoundError, PermissionError, IsADirectoryError)
READ_AHEAD = 8 * 1024 * 1024


class ObjectStore(NamedTuple):
    """A file system, and a path in it."""

    url: str
    system: Any
    path: str


class ObjectEntry(NamedTuple):
    """What a folder holds: a file or another folder, with its name, path and size in bytes."""

    name: str
    path: str
    size: int
    is_folder: bool


def is_url(name: str) -> bool:
    """Whether an INPUT lies behind a URL (`file://` is a path)."""
    return "://" in name and not name.startswith("file://")


def scheme_of(url: str) -> str:
    """Return what stands before `://`, in small letters."""
    return url.partition("://")[0].lower()


def shown(url: str) -> str:
    """Return a URL without credentials and query: fit for a message, a table, or an identity."""
    if not is_url(url):
        return url
    bare = url if scheme_of(url) in AZURE else USER.sub("", url, count=1)
    return re.split(r"[?#]", bare, maxsplit=1)[0] if scheme_of(url) in WEB else bare


def said(error: BaseException) -> str:
    """Return one line of what an error says, without what may be secret."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = " ".join(words.split()) or type(error).__name__
    return QUERY.sub(r"\1", USER.sub("", line))[:LONGEST_WORDS]


def store(url: str) -> ObjectStore:
    """Open the store of a URL, with its usual settings: environment, profiles, FSSPEC_*.

    Raises UserMistake for a scheme that isn't read, a missing extra, or missing credentials.
    """
    scheme = scheme_of(url)
    if scheme not in SCHEMES or "::" in url:
        names = ", ".join(f"{name}://" for name in SCHEMES)
        raise UserMistake(f"{shown(url)}: such URLs aren't read; those that are: {names}, file://")
    if scheme in WEB and USER.search(url):
        raise UserMistake(f"{shown(url)}: no user or password in a URL, please: job records keep what they are given")
    with mistakes(url):
        return _opened(url)


@lru_cache(maxsize=64)
def _opened(url: str) -> ObjectStore:
    return opened(url)


def opened(url: str) -> ObjectStore:
    """Open a URL. Raises UserMistake where its package is missing, and as the store does."""
    module, extra = SCHEMES[scheme_of(url)]
    try:
        system, path = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        if not extra:
            raise
        raise UserMistake(f"{scheme_of(url)}:// needs {module}: pip install 'docmill[{extra}]'") from error
    return ObjectStore(url, system, path)


@contextlib.contextmanager
def mistakes(url: str) -> Iterator[None]:
    """Turn what a store raises into a UserMistake about that URL."""
    try:
        yield
    except UserMistake:
        raise
    except FileNotFoundError as error:
        # For URLs of the web, fsspec raises this error for every failure, with the real one as its cause.
        if scheme_of(url) in WEB and error.__cause__ and getattr(error.__cause__, "status", 0) not in GONE:
            raise UserMistake(f"{shown(url)}: can't be read: {said(error.__cause__)}") from None
        raise UserMistake(f"{shown(url)}: no such file, folder or bucket") from None
    except PermissionError as error:
        raise UserMistake(f"{shown(url)}: no permission ({said(error)}): check the credentials and rights") from None
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        raise UserMistake(f"{shown(url)}: can't be read: {said(error)}") from None


def entry(remote: ObjectStore) -> ObjectEntry:
    """Return the entry at a remote path. Raises UserMistake if there is none, or the store can't be asked."""
    with mistakes(remote.url):
        return _entry(remote.system.info(remote.path))


def entries(remote: ObjectStore, folder: str) -> list[ObjectEntry]:
    """Return what a folder holds, in name order; UserMistake where it can't be listed."""
    with mistakes(remote.url):
        found = remote.system.ls(folder, detail=True)
    inside = (_entry(one) for one in found if one["name"].strip("/") != folder.strip("/"))
    # A key that ends with / is how some tools mark an empty folder.
    return sorted(one for one in inside if one.is_folder or not one.path.endswith("/"))


def _entry(info: dict[str, Any]) -> ObjectEntry:
    path = str(info["name"])
    return ObjectEntry(path.rstrip("/").rpartition("/")[2], path, int(info["size"] or 0), info["type"] == "directory")


def web_name(url: str) -> str:
    """Return what a single file of the web is called."""
    parts = urlsplit(url)
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc


def fetch(remote: Remote, stopped: Callable[[], bool], wait: Callable[[float], None] = time.sleep) -> bytes:
    """Return an object's bytes; errors that may be temporary are retried.

    Raises DocumentFailed with reason `unreadable`.
    """
    for pause in (*PAUSES, None):
        try:
            return cast(bytes, _opened(remote.url).system.cat_file(remote.path))
        except FINAL as error:
            kind = "no permission" if isinstance(error, PermissionError) else "it isn't there any more"
            raise DocumentFailed("unreadable", f"the object can't be fetched: {kind}") from None
        except Exception as error:  # noqa: BLE001 - each store has errors of its own
            if pause is None or stopped():
                raise DocumentFailed("unreadable", f"the object can't be fetched: {said(error)}") from None
            wait(pause)
    raise AssertionError("the last try returns or raises")


def stream(remote: Remote, *, forward: bool) -> BinaryIO:
    """Open an object to be read piece by piece, or `forward` from its beginning to its end."""
    system = _opened(remote.url).system
    options = {"cache_type": "readahead" if forward else "none"}
    return cast(BinaryIO, system.open(remote.path, "rb", block_size=READ_AHEAD, **options))
