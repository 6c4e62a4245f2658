"""The page of a job: its figures are those of the tables, and a browser shows all of it to everybody."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tasks.pages import charts
from tasks.pages.job_facts import JobFacts, job_facts
from tasks.pages.job_page import job_page, write_job_page
from tasks.pages.job_rows import LoadRow
from tasks.pages.page import NAME, place_of
from tasks.prompting.options import EmbedOptions
from tasks.results.location import folder_at
from tasks.results.parts import create_tables, write_part
from tasks.results.schemas import CALLS
from tests.browser import NARROW, WIDE, Browser
from tests.conftest import Ran, RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator, error

HOSTILE = "<img src=x onerror=alert(1)>&\"'{{ 7*7 }}.txt"
SAID = "</script><script>alert(2)</script>"


@pytest.fixture
def ran(folder: Path, provider: Simulator, run_job: RunJob) -> Ran:
    """A job with everything in it: a long document, two that fail, hostile names and words."""
    fill(folder, 12, 900)
    put(folder, "long.txt", prose(60_000, "long"))
    put(folder, HOSTILE, "")
    put(folder, "refused.txt", "REFUSE this one")
    provider.settings.cost = 0.00123
    provider.settings.fault = lambda _, body: error(400, SAID) if "REFUSE" in str(body) else None
    return run_job(rpm=100_000)


def query(ran: Ran, sql: str) -> Any:
    """Return the one row of a query over the tables."""
    for table in ("documents", "calls", "failures"):
        sql = sql.replace(f"from {table}", f"from '{ran.output}/{table}/*.parquet'")
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchone()


def written(ran: Ran) -> JobFacts:
    facts = job_facts(ran.folder)
    write_job_page(ran.folder, facts)
    return facts


def test_the_sums_are_those_of_the_tables_and_of_the_provider(ran: Ran, provider: Simulator) -> None:
    facts = job_facts(ran.folder)
    sums, counts = facts.sums, provider.counts
    assert (sums.documents, sums.done, sums.failed) == (15, 13, 2)
    assert (sums.calls, sums.prompt_tokens, sums.completion_tokens) == (
        counts.answers, counts.prompt_tokens, counts.completion_tokens,
    )  # fmt: skip
    assert sums.cost_usd == pytest.approx(0.00123 * counts.answers)
    assert sum(row.calls for row in facts.times) == sum(row.calls for row in facts.sizes) == counts.answers
    assert sum(row.documents for row in facts.ends) == 15
    (route,) = facts.routes
    assert (route.calls, route.failures) == (counts.answers, 1)
    assert route.cost_usd == pytest.approx(sums.cost_usd)
    assert [(load.provider, load.requests) for load in facts.loads] == [("openai-compatible", counts.answers)]
    assert {row.kind: row.failures for row in facts.kinds} == Counter(row["error_kind"] for row in ran.rows("failures"))


def test_the_load_is_the_most_in_any_minute_and_at_any_instant(tmp_path: Path) -> None:
    place = folder_at(str(tmp_path / "out"))
    create_tables(place)
    # Sent (s), and seconds until the answer: three at once, and four within a minute that begins at 50.
    sent = [(0, 5), (50, 40), (60, 40), (70, 15), (109, 1), (200, 1)]
    rows = [
        dict.fromkeys(CALLS.names)
        | {
            "call_id": str(number),
            "document_id": "a",
            "provider": "mistral",
            "model": "m",
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "latency_ms": seconds * 1000,
            "attempts": 1,
            "reused": False,
            "created_at": datetime.fromtimestamp(1_800_000_000 + at + seconds, UTC),
        }
        for number, (at, seconds) in enumerate(sent)
    ]
    rows.append(rows[1] | {"call_id": "found", "reused": True})
    write_part(place, 1, ["a"], {"calls": rows})
    assert job_facts(place).loads == [LoadRow("mistral", requests=4, tokens=44, at_once=3)]


def test_the_page_in_a_browser_shows_the_figures_of_the_tables(ran: Ran, browser: Browser) -> None:
    written(ran)
    browser.open(place_of(ran.folder))
    shown = {name: float(value) for name, value in browser.figures().items() if name != "status"}
    documents, failed = query(ran, "select count(*), count_if(status = 'failed') from documents")
    calls = query(ran, "select count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost_usd) from calls")
    assert shown.pop("seconds") == ran.record.totals.seconds
    assert shown == {
        "documents": documents, "calls": calls[0], "prompt_tokens": calls[1], "completion_tokens": calls[2],
        "cost_usd": pytest.approx(calls[3]), "failures": query(ran, "select count(*) from failures")[0],
    }  # fmt: skip
    (route,) = browser.table("routes")
    quantiles = query(ran, "select quantile_cont(latency_ms, [0.5, 0.9, 0.99]) from calls")[0]
    assert [float(route[name]) for name in ("p50", "p90", "p99")] == pytest.approx(quantiles)
    assert float(route["calls"]) == calls[0]
    assert f"{failed} of {documents} documents failed" in browser.run("return document.body.textContent")


def test_nothing_in_a_result_set_is_taken_for_markup_and_nothing_is_fetched(ran: Ran, browser: Browser) -> None:
    written(ran)
    browser.open(place_of(ran.folder))
    assert browser.complaints() == []
    text = browser.run("return document.body.textContent")
    assert HOSTILE in text
    assert SAID in text
    assert browser.run("return document.querySelectorAll('img, iframe, link[rel=stylesheet], script[src]').length") == 0
    assert browser.run("return document.scripts.length") == 1


def test_the_policy_refuses_whatever_would_be_slipped_in(ran: Ran, browser: Browser) -> None:
    written(ran)
    browser.open(place_of(ran.folder))
    browser.run(
        "const one = document.createElement('script'); one.textContent = 'window.slipped = 1';"
        "document.body.append(one);"
        "const two = new Image(); two.src = 'http://127.0.0.1:9/x.png'; document.body.append(two);"
    )
    assert browser.run("return window.slipped") is None
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, 768, WIDE])
def test_everything_can_be_read_at_any_width_in_light_and_dark(
    ran: Ran, browser: Browser, width: int, *, dark: bool
) -> None:
    written(ran)
    browser.open(place_of(ran.folder), width, dark=dark)
    assert browser.cut_off() == []
    assert browser.pale() == []
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(23, 24, 26)" if dark else "rgb(252, 251, 249)")
    seen = browser.run(
        "return [...document.querySelectorAll('figure')].map((one) => [...one.querySelectorAll('svg')]"
        ".filter((svg) => svg.checkVisibility()).length)"
    )
    assert seen == [1] * 5


def test_a_table_is_sorted_by_the_keyboard_and_says_so(ran: Ran, browser: Browser) -> None:
    written(ran)
    browser.open(place_of(ran.folder))
    table = browser.driver.find_element(By.XPATH, "//table[contains(., 'Largest')]")
    button = table.find_element(By.XPATH, ".//thead//button[contains(., 'Tokens in')]")
    browser.run("arguments[0].focus()", button)
    for key, direction, is_reversed in ((Keys.ENTER, "descending", True), (Keys.SPACE, "ascending", False)):
        ActionChains(browser.driver).send_keys(key).perform()
        cells = [float(cell) for cell in browser.run(
            "return [...arguments[0].tBodies[0].rows].map((row) => row.cells[4].dataset.v)", table
        )]  # fmt: skip
        assert cells == sorted(cells, reverse=is_reversed)
        assert button.find_element(By.XPATH, "./ancestor::th").get_attribute("aria-sort") == direction
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_switch_goes_over_what_the_system_prefers(ran: Ran, browser: Browser) -> None:
    written(ran)
    browser.open(place_of(ran.folder))
    switch = browser.driver.find_element(By.ID, "theme")
    seen = []
    for _ in range(3):
        switch.send_keys(Keys.ENTER)
        seen.append((switch.text, browser.run("return getComputedStyle(document.body).backgroundColor")))
    light, dark = "rgb(252, 251, 249)", "rgb(23, 24, 26)"
    assert seen == [("Theme: light", light), ("Theme: dark", dark), ("Theme: auto", light)]


def test_a_screen_reader_finds_its_way(ran: Ran, browser: Browser) -> None:
    written(ran)
    browser.open(place_of(ran.folder))
    count = "return document.querySelectorAll(arguments[0]).length"
    assert [browser.run(count, one) for one in ("main", "header", "footer", "h1", "html[lang]")] == [1] * 5
    assert browser.run(count, "nav[aria-label] a") >= 5
    assert browser.run(count, "thead th:not([scope]), svg[role=img]:not([aria-label]), .scroll:not([tabindex])") == 0
    assert browser.run("return [...document.querySelectorAll('nav a')].every((a) => document.querySelector(a.hash))")
    assert browser.run("return new Set([...document.querySelectorAll('[id]')].map((one) => one.id)).size") == (
        browser.run(count, "[id]")
    )


def test_a_run_that_asked_nobody_says_so(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 3)
    run_job()
    again = run_job()
    html = job_page(again.folder, job_facts(again.folder))
    assert "asked nobody" in html
    assert job_facts(again.folder).sums.documents == 3


def test_an_empty_result_set_and_a_damaged_record_have_a_page(tmp_path: Path) -> None:
    place = folder_at(str(tmp_path / "out [1] *?'"))
    create_tables(place)
    facts = job_facts(place)
    assert (facts.record, facts.sums.documents, list(facts.times)) == ({}, 0, [])
    assert "<h1>" in job_page(place, facts)
    assert place.path is not None
    (place.path / "job.json").write_text(json.dumps({"totals": None, "spec": None, "started_at": 7}))
    assert "<h1>" in job_page(place, job_facts(place))


def test_a_request_for_many_texts_counts_once(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 6)
    ran = run_job(flow="embed", kind=EmbedOptions)
    facts = job_facts(ran.folder)
    (route,) = facts.routes
    assert route.calls == provider.counts.requests < facts.sums.calls
    assert facts.sums.prompt_tokens == provider.counts.prompt_tokens


def test_the_page_of_a_bucket_is_made_there(folder: Path, provider: Simulator, run_job: RunJob, s3: str) -> None:
    fill(folder, 3)
    ran = run_job(output=f"{s3}/out")
    facts = written(ran)
    assert (facts.sums.documents, facts.sums.calls) == (3, 3)
    assert place_of(ran.folder) == f"{s3}/out/{NAME}"
    assert b"<h1>" in (ran.folder.read(NAME) or b"")


def test_a_damaged_part_is_an_error_and_leaves_the_old_page(ran: Ran) -> None:
    written(ran)
    before = (ran.output / NAME).read_bytes()
    (ran.output / "calls" / "part-000001.parquet").write_bytes(b"no Parquet")
    with pytest.raises(duckdb.Error):
        job_facts(ran.folder)
    assert (ran.output / NAME).read_bytes() == before
    assert pq.read_metadata(ran.output / "documents" / "part-000001.parquet").num_rows == 15


def test_without_the_package_that_draws_a_page_has_its_figures_and_says_what_is_missing(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = job_page(ran.folder, job_facts(ran.folder))
    monkeypatch.setattr(charts, "can_draw", lambda: False)
    plain = job_page(ran.folder, job_facts(ran.folder))
    assert ("<svg role=" in drawn, "<svg role=" in plain) == (True, False)
    assert "docmill[pages]" not in drawn
    assert "<code>pip install 'docmill[pages]'</code>" in plain
    figures = "<details open><summary>The figures</summary>"
    assert plain.count(figures) == drawn.count("<details><summary>The figures</summary>") > 0
