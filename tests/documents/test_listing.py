import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import UserMistake
from tasks.documents.document import Document
from tasks.documents.listing import list_documents

NAMES = st.text("abcXYZ09 _-", min_size=1, max_size=6).map(str.strip).filter(bool)


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"The text of {name}.", encoding="utf-8")
    return root


def ids(*inputs: Path | str, skip: Path | None = None) -> list[str]:
    return [document.document_id for document in list_documents([str(name) for name in inputs], skip=skip)]


def test_a_folder_is_listed_depth_first_in_name_order_with_posix_identifiers(tmp_path: Path) -> None:
    write(tmp_path, "b.txt", "a/z.txt", "a/b/c.md", "a/B.txt", "C.txt", "a.txt")
    assert ids(tmp_path) == ["C.txt", "a/B.txt", "a/b/c.md", "a/z.txt", "a.txt", "b.txt"]


@settings(deadline=None, max_examples=25)
@given(names=st.sets(NAMES, min_size=1, max_size=8))
def test_the_order_does_not_depend_on_that_of_writing(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    forth = write(tmp_path_factory.mktemp("forth"), *sorted(names))
    back = write(tmp_path_factory.mktemp("back"), *sorted(names, reverse=True))
    assert ids(forth) == ids(back) == sorted(names)


def test_a_listed_file_carries_its_uri_size_and_path_but_no_text(tmp_path: Path) -> None:
    path = write(tmp_path, "a file.txt") / "a file.txt"
    (document,) = list_documents([str(tmp_path)])
    assert document == Document("a file.txt", path.as_uri(), path.stat().st_size, path=str(path))
    assert document.source.endswith("/a%20file.txt")


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "seen.txt", ".hidden", ".git/config", "a/.env", "a/seen.txt")
    assert ids(tmp_path) == ["a/seen.txt", "seen.txt"]


def test_the_folder_to_skip_is_never_entered_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "in.txt", "output/summarize/documents/part.txt", "output/notes.txt")
    monkeypatch.chdir(tmp_path)
    assert ids(tmp_path, skip=tmp_path / "output/summarize") == ["in.txt", "output/notes.txt"]
    assert ids(".", skip=Path("output/../output")) == ["in.txt"]
    assert ids(".", skip=Path("elsewhere")) == ["in.txt", "output/notes.txt", "output/summarize/documents/part.txt"]


def test_a_single_file_is_called_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, "deep/down/a.txt")
    assert ids(tmp_path / "deep/down/a.txt") == ["a.txt"]


def test_a_glob_matches_from_the_part_before_its_first_wildcard(tmp_path: Path) -> None:
    write(tmp_path, "a/1.txt", "a/2.md", "b/3.txt", "4.txt", "b/.hidden.txt")
    assert ids(f"{tmp_path}/*/*.txt") == ["a/1.txt", "b/3.txt"]
    assert ids(f"{tmp_path}/**/*.txt") == ["4.txt", "a/1.txt", "b/3.txt"]
    assert ids(f"{tmp_path}/a/[12].*") == ["1.txt", "2.md"]


def test_a_glob_passes_over_the_folder_to_skip(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "out/part.txt", "out/deep/part.txt", "outer.txt")
    assert ids(f"{tmp_path}/**", skip=tmp_path / "out") == ["a.txt", "outer.txt"]


def test_a_glob_may_be_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, "a/1.txt", "a/2.md"))
    assert ids("*/*.txt") == ["a/1.txt"]


def test_a_file_whose_name_looks_like_a_glob_is_itself(tmp_path: Path) -> None:
    write(tmp_path, "a[1].txt", "a1.txt")
    assert ids(tmp_path / "a[1].txt") == ["a[1].txt"]


def test_several_inputs_are_listed_one_after_the_other(tmp_path: Path) -> None:
    write(tmp_path, "y/b.txt", "y/c.txt", "x/a.txt", "d.txt")
    assert ids(tmp_path / "y", tmp_path / "x", tmp_path / "d.txt") == ["b.txt", "c.txt", "a.txt", "d.txt"]


def test_two_documents_of_one_identifier_are_refused_with_the_way_out(tmp_path: Path) -> None:
    write(tmp_path, "x/a.txt", "y/a.txt")
    with pytest.raises(UserMistake, match=r"'a\.txt'.*common parent folder"):
        ids(tmp_path / "x", tmp_path / "y")


def test_one_input_given_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    with pytest.raises(UserMistake, match=r"two documents are called 'a\.txt'"):
        ids(tmp_path / "a.txt", tmp_path / "a.txt")


def test_an_empty_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserMistake) as refused:
        ids(tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert "no documents" in str(refused.value)


def test_a_folder_of_hidden_files_and_empty_folders_counts_as_empty(tmp_path: Path) -> None:
    write(tmp_path, ".hidden")
    (tmp_path / "empty/emptier").mkdir(parents=True)
    with pytest.raises(UserMistake, match="no documents"):
        ids(tmp_path)


@pytest.mark.parametrize("name", ["missing", "missing.txt", "missing.parquet", "missing/a.txt"])
def test_a_path_that_is_not_there_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserMistake) as refused:
        ids(tmp_path / name)
    assert str(refused.value) == f"{tmp_path / name}: no such file or folder"


def test_a_glob_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    with pytest.raises(UserMistake, match=r"no documents in .*\*\.md"):
        ids(f"{tmp_path}/*.md")


@pytest.mark.parametrize("name", ["ftp://host/folder", "zip://a.txt::s3://bucket/a.zip", "s4://b"])
def test_an_url_of_another_kind_is_refused_with_those_that_are_read(name: str) -> None:
    with pytest.raises(UserMistake, match=r"such URLs aren't read; those that are: s3://, .*file://"):
        ids(name)


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    path = write(tmp_path, "a b.txt") / "a b.txt"
    assert path.as_uri().endswith("/a%20b.txt")
    assert ids(tmp_path.as_uri()) == ids(path.as_uri()) == ["a b.txt"]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.CSV"])
def test_a_table_without_its_text_column_is_refused_with_the_option(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    with pytest.raises(UserMistake, match="needs --text-column"):
        ids(tmp_path / name)


def test_a_dangling_link_is_listed_so_that_its_read_can_say_why(tmp_path: Path) -> None:
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    (document,) = list_documents([str(tmp_path)])
    assert (document.document_id, document.size) == ("gone.txt", 0)


@pytest.mark.timeout(10)
def test_a_pipe_is_listed_so_that_its_read_can_say_why(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    os.mkfifo(tmp_path / "pipe")
    assert ids(tmp_path) == ["a.txt", "pipe"]


def test_a_link_to_the_folder_itself_does_not_lead_round_and_round(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    assert ids(tmp_path) == ["a.txt"]


def test_a_name_that_is_not_utf8_becomes_one_that_tables_hold(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.txt").write_text("x", encoding="utf-8")
    (document,) = list_documents([str(tmp_path)])
    assert document.document_id == "caf\\xe9.txt"
    assert document.path is not None
    assert Path(document.path).read_text(encoding="utf-8") == "x"
    assert document.source.endswith("/caf%E9.txt")


def test_two_names_that_are_not_utf8_stay_two(tmp_path: Path) -> None:
    for name in ("a\udcff.txt", "a\udcfe.txt"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert ids(tmp_path) == ["a\\xfe.txt", "a\\xff.txt"]


def test_an_empty_input_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserMistake, match="an INPUT is empty"):
        list(list_documents([""]))


def test_a_result_set_is_never_read_as_documents(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    results = tmp_path / "results"
    (results / ".docmill").mkdir(parents=True)
    (results / "job.json").write_text("{}", encoding="utf-8")
    assert [document.document_id for document in list_documents([str(tmp_path)])] == ["a.txt"]
    with pytest.raises(UserMistake, match="is, or is to be, a result set"):
        list(list_documents([str(results)]))
    with pytest.raises(UserMistake, match="is, or is to be, a result set"):
        list(list_documents([str(tmp_path)], skip=tmp_path))


def test_the_folder_of_a_job_whose_ledger_lies_elsewhere_is_a_result_set_too(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "results/job.json", "results/documents/part.parquet", "other/job.json")
    assert ids(tmp_path) == ["a.txt", "other/job.json"]
    with pytest.raises(UserMistake, match="is, or is to be, a result set"):
        ids(tmp_path / "results")
