"""Where a result set's ledger lies."""

import sys
from pathlib import Path

import pytest

from tasks.base.errors import UserMistake
from tasks.base.settings import Settings
from tasks.ledger.postgres_state import PostgresState
from tasks.ledger.state import LocalState
from tasks.planning.state_location import VARIABLE, elsewhere, result_set_name, state_of
from tasks.prompting.options import Options

URL = "postgresql://user@host/db"


def test_it_lies_beside_the_results_unless_a_place_is_named(tmp_path: Path) -> None:
    options = Options(output=tmp_path / "out")
    place = result_set_name(str(tmp_path / "out"))
    beside, named, both = (
        state_of(options, Settings({})),
        state_of(options, Settings({VARIABLE: str(tmp_path / "there")})),
        state_of(options.model_copy(update={"state": str(tmp_path / "here")}), Settings({VARIABLE: URL})),
    )
    assert isinstance(beside, LocalState)
    assert beside.folder == tmp_path / "out" / ".docmill"
    assert isinstance(named, LocalState)
    assert named.folder == tmp_path / "there" / place
    assert isinstance(both, LocalState)
    assert both.folder == tmp_path / "here" / place


def test_a_url_is_a_database_and_a_result_set_a_schema_of_it(tmp_path: Path) -> None:
    names = set()
    for output in (tmp_path / "out", tmp_path / "OUT", tmp_path / ("a long name " * 10), tmp_path / "тетрадь"):
        state = state_of(Options(output=output, state=URL), Settings({}))
        assert isinstance(state, PostgresState)
        assert state.schema.startswith("docmill_")
        assert len(state.schema) <= 63
        assert state.schema.isascii()
        assert state.schema.isidentifier()
        names.add(state.schema)
    assert len(names) == 4


def test_people_are_told_where_it_lies_but_not_its_password(tmp_path: Path) -> None:
    options = Options(output=tmp_path / "out")
    assert elsewhere(options, state_of(options, Settings({}))) is None
    place = elsewhere(options, state_of(options, Settings({VARIABLE: "postgresql://user:secret@host/db"})))
    assert place is not None
    assert URL in place
    assert "secret" not in place


def test_the_same_path_is_the_same_result_set_however_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative, absolute = (
        state_of(Options(output=output, state=URL), Settings({})) for output in (Path("out"), tmp_path / "out")
    )
    assert isinstance(relative, PostgresState)
    assert isinstance(absolute, PostgresState)
    assert relative.schema == absolute.schema


def test_the_environment_may_hold_a_password_but_no_url_of_another_kind(tmp_path: Path) -> None:
    assert isinstance(state_of(Options(), Settings({VARIABLE: "postgresql://user:secret@host/db"})), PostgresState)
    with pytest.raises(UserMistake, match="takes a folder or a postgresql:// URL") as caught:
        state_of(Options(), Settings({VARIABLE: "mysql://user:secret@host/db"}))
    assert "secret" not in str(caught.value)


def test_without_the_driver_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tasks.ledger.postgres_state", None)
    with pytest.raises(UserMistake, match=r"pip install 'docmill\[postgres\]'"):
        state_of(Options(state=URL), Settings({}))
