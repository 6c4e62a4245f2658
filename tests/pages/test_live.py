"""The live pages: what is listed is shown and kept up to date, to this machine alone, and nothing else is."""

import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tasks.errors import UserMistake
from tasks.jobs.job import Job
from tasks.pages.live import serving
from tasks.pages.site import FRESH_SECONDS, Clock, Site, path_of
from tests.browser import NARROW, WIDE, Browser
from tests.conftest import RunJob, hasten
from tests.jobs.texts import fill, put
from tests.simulator import Simulator

HOSTILE = "<img src=x onerror=alert(1)>"


def ask(url: str, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode(), reply.headers
    finally:
        connection.close()


@pytest.fixture
def place(folder: Path, tmp_path: Path, provider: Simulator, run_job: RunJob) -> str:
    fill(folder, 3, 200)
    return str(run_job(output=tmp_path / HOSTILE).output)


@pytest.fixture
def site(place: str) -> Iterator[str]:
    """The URL of a site with one result set, and one that has gone."""
    with serving(Site(lambda: [place, f"{place}-gone"], clock=_endless()).page) as url:
        yield url


def _endless() -> Clock:
    moments = iter(range(0, 10**9, 10))
    return lambda: float(next(moments))


def test_the_list_leads_to_each_result_set(site: str, place: str, browser: Browser) -> None:
    for width in (NARROW, WIDE):
        browser.open(site, width)
        assert browser.cut_off() == []
        assert browser.pale() == []
    assert browser.complaints() == []
    links = browser.run("return [...document.querySelectorAll('tbody a')].map((one) => one.textContent)")
    assert links == [place]
    assert f"{place}-gone" in browser.run("return document.body.textContent")
    browser.run("document.querySelector('tbody a').click()")
    assert browser.run("return document.querySelector('h1').textContent").endswith(place)
    assert browser.complaints() == []


def test_an_open_page_follows_a_job_that_runs(
    folder: Path, tmp_path: Path, provider: Simulator, run_job: RunJob, browser: Browser
) -> None:
    """The page is opened while half of the documents wait, and shows the others as they come."""
    for number in range(8):
        put(folder, f"{number}.txt", f"document {number} " * 50)
    gate, half = threading.Event(), threading.Event()
    out = tmp_path / "out"

    def held(opened: Job) -> None:
        hasten(opened)

    def late(number: int) -> float:
        if number > 4:
            half.set()
            gate.wait(60)
        return 0.0

    provider.settings.delays = late
    runner = threading.Thread(target=run_job, kwargs={"opened": held, "output": out, "concurrency": 1})
    with serving(Site(lambda: [str(out)]).page) as url:
        runner.start()
        try:
            assert half.wait(60)
            browser.open(f"{url.rstrip('/')}{path_of(str(out))}")
            assert browser.figures()["status"] == "running"
            browser.run("document.documentElement.dataset.seen = 'the same page'")
        finally:
            gate.set()
            runner.join()
        deadline = time.monotonic() + 40
        while browser.figures()["status"] != "done" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert browser.figures()["documents"] == "8"
        assert browser.run("return document.documentElement.dataset.seen") == "the same page"
        assert browser.complaints() == []


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}", ""]
)
def test_a_name_that_was_made_to_point_here_is_refused(site: str, host: str) -> None:
    status, text, _ = ask(site, Host=host.format(port=urlsplit(site).port))
    assert (status, "Result sets" in text) == (403, False)


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/job/../job.json", "/%2e%2e/x", "//etc/passwd", "/job/", "/health", "/job/%00"]
)
def test_nothing_but_what_is_listed_can_be_asked_for(site: str, path: str) -> None:
    assert ask(site, path)[0] == 404


def test_only_reading_is_allowed_and_no_cache_keeps_a_page(site: str) -> None:
    assert [ask(site, method=method)[0] for method in ("POST", "PUT", "DELETE")] == [501] * 3
    status, text, headers = ask(site, method="HEAD")
    assert (status, text, headers["Cache-Control"], headers["X-Frame-Options"]) == (200, "", "no-store", "DENY")
    assert "Python" not in headers["Server"]


def test_a_result_set_that_can_not_be_read_says_so_and_the_site_goes_on(site: str, place: str) -> None:
    (Path(place) / "calls" / "part-000001.parquet").write_bytes(b"no Parquet")
    status, text, _ = ask(site, path_of(place))
    assert (status, "not readable now" in text, "<img" in text) == (200, True, False)
    (Path(place) / "job.json").write_text(json.dumps({"totals": 7, "plan": [], "started_at": "yesterday"}))
    shutil.rmtree(Path(place) / "calls")
    assert ask(site)[0] == ask(site, path_of(place))[0] == 200


def test_a_page_is_made_once_for_all_who_ask_at_the_same_time() -> None:
    now, made = [0.0], []

    def health() -> str:
        made.append(1)
        return "health"

    site = Site(list, health, clock=lambda: now[0])
    for _ in range(5):
        assert site.page("/health") == "health"
    now[0] += FRESH_SECONDS
    assert (site.page("/health"), len(made)) == ("health", 2)


def test_a_taken_port_is_named() -> None:
    with serving(lambda _: None) as url:
        port = urlsplit(url).port
        assert port
        with pytest.raises(UserMistake, match=f"--port {port} can't be used"), serving(lambda _: None, port):
            pass
