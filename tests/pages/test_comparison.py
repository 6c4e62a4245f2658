"""The page of a comparison: the figures of its table, and the answers side by side, whatever they hold."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tasks.comparison.comparison_records import ComparedAnswer
from tasks.comparison.comparison_tables import COMPARISON_TABLES, write_comparison
from tasks.pages.comparison_page import CHARACTERS, DOCUMENTS, comparison_page, write_comparison_page
from tasks.pages.page import place_of
from tasks.results.location import Folder, folder_at
from tasks.results.parts import create_tables
from tests.browser import NARROW, WIDE, Browser
from tests.pages.compared import HOSTILE, ROUTES, SAID, answers, comparison


@pytest.fixture
def written(tmp_path: Path) -> Folder:
    folder = folder_at(str(tmp_path / "out"))
    create_tables(folder, COMPARISON_TABLES)
    write_comparison(folder, comparison().routes, answers())
    write_comparison_page(folder, comparison(), answers())
    return folder


def test_the_figures_are_those_of_the_parquet(written: Folder, browser: Browser) -> None:
    browser.open(place_of(written))
    shown = {name: [row[name] for row in browser.table("routes")] for name in (
        "done", "failed", "cost_usd", "latency_p50", "latency_p90", "tokens_per_second", "agreement", "rouge_l",
    )}  # fmt: skip
    shown |= {name: [row[name.removeprefix("all_")] for row in browser.table("projected")]
              for name in ("all_cost_usd", "all_seconds")}  # fmt: skip
    with duckdb.connect() as connection:
        table = connection.execute(
            f"select {', '.join(shown)} from '{written.location}/comparison/*.parquet'"
        ).fetchall()
    for name, column in zip(shown, zip(*table, strict=True), strict=True):
        assert [float(value) if value else None for value in shown[name]] == pytest.approx(list(column)), name


def test_nothing_that_was_answered_is_taken_for_markup(written: Folder, browser: Browser) -> None:
    browser.open(place_of(written))
    assert browser.complaints() == []
    text = browser.run("return document.body.textContent")
    assert HOSTILE in text
    assert f"It says: {SAID} and <b>nothing</b> else." in text
    assert browser.run("return document.querySelectorAll('main img, main b, main script').length") == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_all_of_it_can_be_read(written: Folder, browser: Browser, width: int, *, dark: bool) -> None:
    browser.open(place_of(written), width, dark=dark)
    assert browser.cut_off() == []
    assert browser.pale() == []


def test_every_answer_stands_beside_the_others_to_its_document(written: Folder, browser: Browser) -> None:
    browser.open(place_of(written))
    sides = browser.run("return [...document.querySelectorAll('.answers')].map((one) => one.children.length)")
    assert sides == [len(ROUTES)] * 3
    names = "return [...document.querySelectorAll('.answers .best h4')].map((one) => one.textContent.trim())"
    assert browser.run(names) == [comparison().recommendation.best] * 3


def test_a_large_sample_leaves_the_page_small() -> None:
    (first, *_) = answers()
    many: list[ComparedAnswer] = [
        replace(first, document_id=f"{number}.txt", output="word " * 40_000) for number in range(DOCUMENTS + 5)
    ]
    html = comparison_page(comparison(), many, "out")
    assert len(html) < DOCUMENTS * CHARACTERS + 300_000
    assert "5 more are in the table answers" in html
    assert "194,000 more characters" in html


def test_a_comparison_that_measured_nothing_has_a_page() -> None:
    whole = comparison()
    nothing = replace(
        whole, routes=(), agreements=(), status="paused", reason="the budget is spent", recommendation=replace(
            whole.recommendation, cheapest=None, fastest=None, best=None, front=(), words=("Nothing to recommend.",)
        ),
    )  # fmt: skip
    html = comparison_page(nothing, [], "out")
    assert "the budget is spent" in html
    assert "Nothing was answered" in html
