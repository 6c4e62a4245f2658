"""Lists of providers over the catalogue: the newer wins, what is set by hand stays, and changes are said."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.catalogue_command import main
from tasks.models.candidates import RouteRequest, candidates
from tasks.models.catalogue import Catalogue, load_catalogue
from tasks.models.live_catalogue import Change, Snapshot, changes, load_snapshots, pinned_rows, save_snapshot, with_live
from tasks.models.model_lists import Listed
from tests.models.test_catalogue import HALF_A_PRICE, MODEL, written
from tests.providers.counterparts import playing

THEN, NOW = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)
PRICED = MODEL + HALF_A_PRICE.replace("2026-11-01", "2026-11-10") + "\noutput_price = 2.0\n"


def snapshot(*entries: Listed, at: datetime = NOW, provider: str = "somewhere") -> Snapshot:
    return Snapshot(provider, at, entries)


@pytest.fixture
def small(tmp_path: Path) -> Catalogue:
    return load_catalogue(written(tmp_path, PRICED))


def test_a_newer_list_gives_window_price_and_availability(small: Catalogue) -> None:
    entry = Listed("Vendor/Model-One", 8192, 2048, 0.5, 0.6, None, True, None, (1.0,))
    row = with_live(small, [snapshot(entry)]).models[0].routes[0]
    assert (row.context, row.max_answer, row.available, row.latency) == (8192, 2048, True, (1.0,))
    assert (row.input_price, row.output_price, row.price_checked) == (0.5, 0.6, NOW.date())
    assert row.price_source == "somewhere's list of models"


def test_an_older_list_s_price_is_not_taken_and_an_unknown_one_takes_nothing_away(small: Catalogue) -> None:
    older = with_live(small, [snapshot(Listed("vendor/model-one", None, None, 0.5, 0.6), at=THEN)]).models[0].routes[0]
    assert (older.input_price, older.output_price, older.context) == (1.0, 2.0, 4096)
    unpriced = with_live(small, [snapshot(Listed("vendor/model-one", 2048))]).models[0].routes[0]
    assert (unpriced.input_price, unpriced.context, unpriced.max_answer) == (1.0, 2048, 2048)


def test_a_model_that_a_list_lacks_is_gone_and_an_empty_list_says_nothing(small: Catalogue) -> None:
    assert with_live(small, [snapshot(Listed("another"))]).models[0].routes[0].is_gone
    assert not with_live(small, [snapshot()]).models[0].routes[0].is_gone


def test_a_row_set_by_hand_is_kept_and_what_differs_is_said(tmp_path: Path) -> None:
    catalogue = load_catalogue(written(tmp_path, PRICED + "pinned = true\n"))
    list_ = snapshot(Listed("vendor/model-one", 8192, None, 0.5, 0.6))
    assert with_live(catalogue, [list_]).models == catalogue.models
    assert list(pinned_rows(catalogue, list_)) == [("Model-One", "window 8192, price 0.5/0.6")]


def test_the_aggregator_s_list_tells_of_models_at_providers_behind_it(small: Catalogue) -> None:
    list_ = snapshot(Listed("Model-One", 1024, upstream="somewhere"), provider="apipie")
    live = with_live(small, [list_])
    behind = live.behind(live.models[0], "apipie", "somewhere")
    assert behind is not None
    assert (behind.context, behind.provider) == (1024, "somewhere")
    assert live.models[0].routes[0].context == 4096
    assert live.behind(live.models[0], "apipie", "elsewhere") is None


def test_a_model_outside_the_catalogue_is_known_from_a_list(small: Catalogue) -> None:
    live = with_live(small, [snapshot(Listed("new/model", 2048, None, 1.0, 1.0))])
    found = live.live("somewhere", "NEW/model")
    assert found is not None
    assert (found.context, found.id) == (2048, "new/model")


def test_every_kind_of_change_is_said() -> None:
    before = snapshot(
        Listed("same", 10, None, 1.0, 1.0), Listed("gone"), Listed("dear", 10, None, 1.0, 1.0),
        Listed("cheap", 10, None, 1.0, 1.0), Listed("narrow", 10), Listed("wide", 10), Listed("off", available=True),
        Listed("told", 10),
    )  # fmt: skip
    after = snapshot(
        Listed("same", 10, None, 1.0, 1.0), Listed("dear", 10, None, 1.5, 1.0), Listed("cheap", 10, None, 0.5, 1.0),
        Listed("narrow", 5), Listed("wide", 20), Listed("off", available=False), Listed("new", None, None, 2.0, 3.0),
        Listed("told", 10, None, 1.0, 2.0),
    )  # fmt: skip
    assert list(changes(before, after)) == [
        Change("somewhere", "dear", "dearer", "1/1", "1.5/1"),
        Change("somewhere", "cheap", "cheaper", "1/1", "0.5/1"),
        Change("somewhere", "narrow", "smaller window", "10", "5"),
        Change("somewhere", "wide", "larger window", "10", "20"),
        Change("somewhere", "off", "not available", "", ""),
        Change("somewhere", "new", "new", "", "2/3"),
        Change("somewhere", "told", "price told", "price not known", "1/2"),
        Change("somewhere", "gone", "gone", "price not known", ""),
    ]
    assert list(changes(None, after)) == []


def test_the_list_before_is_kept_as_history_and_a_damaged_one_counts_as_none(tmp_path: Path) -> None:
    save_snapshot(tmp_path, snapshot(Listed("a"), at=THEN))
    save_snapshot(tmp_path, snapshot(Listed("b"), Listed("c", latency=(1.0, None)), at=NOW))
    (latest,) = load_snapshots(tmp_path)
    assert latest == snapshot(Listed("b"), Listed("c", latency=(1.0, None)))
    assert [path.name for path in (tmp_path / "history" / "somewhere").iterdir()] == ["20261101T000000.json"]
    (tmp_path / "broken.json").write_text('{"at": "now"')
    assert load_snapshots(tmp_path) == [latest]


NEMO = {
    "id": "mistralai/mistral-nemo",
    "context_length": 131072,
    "pricing": {"prompt": "0.0000003", "completion": "0.0000003"},
}


@pytest.mark.usefixtures("no_keys")
def test_refresh_reads_all_lists_shows_what_changed_and_goes_on_past_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCMILL_CATALOGUE", str(tmp_path))
    with playing() as parts:
        for name, value in parts.environment("openrouter", "together", "bedrock").items():
            monkeypatch.setenv(name, value)
        parts.models["openrouter"] = {"data": [NEMO]}
        parts.models["together"] = {"error": "no"}
        assert main("about", ["--refresh"]) == 0
        said = capsys.readouterr().err
        assert "openrouter: 1 models, 0 changes" in said
        assert "together: HTTP 200 and no list of models" in said
        assert "bedrock: it has no list of models" in said
        parts.models["openrouter"] = {"data": [NEMO | {"context_length": 65536}, {"id": "mistralai/new"}]}
        assert main("about", ["--refresh", "--json"]) == 0
        (one, *_) = json.loads(capsys.readouterr().out)
        assert [change[2] for change in one["changes"]] == ["smaller window", "new"]
    assert main("about", ["--model", "mistral-nemo", "--provider", "openrouter", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["context"], row["input_price"]) == (65536, 0.3)


@pytest.mark.usefixtures("no_keys")
def test_refresh_without_a_key_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCMILL_CATALOGUE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main("about", ["--refresh"]) == 2
    assert "OPENROUTER_API_KEY" in capsys.readouterr().err


def test_what_the_aggregator_s_list_lacks_is_doubtful_there_and_of_unknown_price() -> None:
    catalogue = load_catalogue()
    list_ = snapshot(Listed("mistral-large", 128_000, None, 9.0, 9.0, upstream="openrouter"), provider="apipie")
    found = candidates(RouteRequest("mistral-large"), with_live(catalogue, [list_]), ("apipie",), "local-model")
    rows = {candidate.upstream: candidate.served for candidate in found}
    assert rows["openrouter"] is not None
    assert rows["bedrock"] is not None
    assert (rows["openrouter"].is_gone, rows["openrouter"].input_price) == (False, 9.0)
    assert (rows["bedrock"].is_gone, rows["bedrock"].price, rows["bedrock"].context) == (True, None, 8192)
    untold = snapshot(Listed("mistral-large", 128_000), provider="apipie")
    (first, *_) = candidates(RouteRequest("mistral-large"), with_live(catalogue, [untold]), ("apipie",), "local-model")
    assert first.served is not None
    assert first.served.price is not None


def test_a_model_outside_the_catalogue_is_compared_at_all_that_list_it() -> None:
    lists = [
        snapshot(Listed("new/model", 8192, None, 5.0, 5.0), provider="together"),
        snapshot(Listed("new/model", 8192, None, 0.1, 0.1), provider="deepinfra"),
        snapshot(Listed("new/model", 8192, available=False), provider="openrouter"),
    ]
    live = with_live(load_catalogue(), lists)
    found = candidates(
        RouteRequest("new/model"), live, ("openrouter", "together", "deepinfra", "apipie"), "local-model"
    )
    assert [candidate.provider.name for candidate in found] == ["together", "deepinfra"]


@pytest.mark.parametrize(("price", "known"), [((0.0, 0.0), False), ((0.2, 0.0), False), ((0.2, 0.3), True)])
def test_a_price_of_nothing_is_not_told_unless_the_name_says_free(
    small: Catalogue,
    price: tuple[float, float],
    known: bool,  # noqa: FBT001
) -> None:
    row = with_live(small, [snapshot(Listed("vendor/model-one", None, None, *price))]).models[0].routes[0]
    assert (row.input_price == price[0]) is known
    free = with_live(small, [snapshot(Listed("vendor/x:free", None, None, 0.0, 0.0, is_free=True))]).live(
        "somewhere", "vendor/x:free"
    )
    assert free is not None
    assert free.input_price == 0.0
