"""The live server: on loopback, by its own names, and of nothing but pages."""

import http.client
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from tasks.base.errors import UserMistake
from tasks.pages import live
from tasks.pages.health_page import overview
from tasks.pages.live import HOST, LivePageServer
from tasks.pages.site import JobSite, path_of
from tasks.results.location import folder_at
from tests.browser import Browser
from tests.conftest import Ran, RunJob
from tests.jobs.texts import fill, put
from tests.pages.made import health_of
from tests.simulator import Simulator

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ran(folder: Path, provider: Simulator, run_job: RunJob) -> Ran:
    fill(folder, 4)
    return run_job()


@pytest.fixture
def server(ran: Ran) -> Iterator[LivePageServer]:
    places = [str(ran.output), str(ran.output.parent / "gone"), str(ran.output), "s3://", "nowhere://x"]
    found = LivePageServer(JobSite(lambda: places))
    with found.serving():
        yield found


@pytest.fixture
def ask(server: LivePageServer) -> Ask:
    port = int(server.url.rstrip("/").rpartition(":")[2])

    def asked(path: str, host: str | None = None, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, port, timeout=30)
        connection.request(method, path, headers={"Host": host.format(port=port)} if host else {})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply.status, text

    return asked


def test_the_list_leads_to_each_jobs_page(ask: Ask, ran: Ran) -> None:
    path = path_of(ran.folder)
    status, text = ask("/")
    assert (status, text.count(f'href="{path}"')) == (200, 1)
    status, text = ask(path)
    assert (status, "<h1>" in text, "connect-src &#39;self&#39;" in text) == (200, True, True)
    assert ask(path + "?x=1#y")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.x:{port}"]
)
def test_a_name_of_another_site_is_not_answered(ask: Ask, host: str) -> None:
    assert ask("/", host)[0] == 421


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}"])
def test_the_names_of_loopback_are(ask: Ask, host: str) -> None:
    assert ask("/", host)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/jobs/../../etc/passwd",
        "/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/job.json",
        "/jobs/",
        "/jobs/0",
    ],
)
def test_no_path_leads_to_a_file(ask: Ask, path: str) -> None:
    status, text = ask(path)
    assert (status, text) == (404, "there is no such page\n")


def test_nothing_can_be_sent_to_it(ask: Ask) -> None:
    assert [ask("/", method=method)[0] for method in ("POST", "PUT", "DELETE", "OPTIONS")] == [501] * 4
    assert ask("/", method="HEAD") == (200, "")


def test_only_loopback_is_listened_on(server: LivePageServer) -> None:
    port = int(server.url.rstrip("/").rpartition(":")[2])
    with socket.socket() as other, pytest.raises(OSError):
        other.connect(("127.0.0.2", port))


def test_a_port_that_is_taken_is_the_users_to_mend(server: LivePageServer) -> None:
    port = int(server.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(UserMistake, match=f"--port {port} can't be listened on"):
        LivePageServer(JobSite(list), port)
    with pytest.raises(UserMistake, match="--port 70000"):
        LivePageServer(JobSite(list), 70000)


def test_a_page_that_cannot_be_made_leaves_the_others(ask: Ask, ran: Ran) -> None:
    (ran.output / "calls" / "part-000001.parquet").write_bytes(b"no Parquet")
    assert ask(path_of(ran.folder))[0] == 503
    assert ask("/")[0] == 200


def test_the_page_renews_itself_and_keeps_the_readers_order(
    ran: Ran, server: LivePageServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((ran.output / "job.json").read_text())
    plan = {"documents": 8, "calls": 8, "kept_answers": 0, "unchanged": 0}
    (ran.output / "job.json").write_text(json.dumps(record | {"status": "running", "finished_at": None, "plan": plan}))
    browser.open(server.url + path_of(ran.folder)[1:])
    assert browser.figures()["progress"] == "0.5"
    browser.run(
        "document.querySelector('#table-routes thead button').click(); document.querySelector('details').open = true"
    )
    shutil.copy(ran.output / "documents" / "part-000001.parquet", ran.output / "documents" / "part-000009.parquet")
    monkeypatch.setattr(live, "KEPT_SECONDS", 0.0)
    browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    WebDriverWait(browser.driver, 60, 0.05).until(lambda _: browser.figures()["documents"] == "8")
    assert browser.run("return document.querySelector('#table-routes th').getAttribute('aria-sort')") == "ascending"
    assert browser.run("return document.querySelector('details').open")
    assert browser.run("return document.querySelectorAll('#table-routes thead th button').length") == 13
    assert browser.complaints() == []


def test_a_folder_is_one_page_whatever_it_is_called(ran: Ran, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(ran.output)
    assert path_of(folder_at(str(link))) == path_of(ran.folder)


def test_the_first_page_is_of_the_routes_and_of_all_jobs(ran: Ran, browser: Browser) -> None:
    site = JobSite(lambda: [str(ran.output)], overview(lambda: health_of(3, 30)))
    with LivePageServer(site).serving() as url:
        browser.open(url)
        assert (len(browser.table("availability")), len(browser.table("jobs"))) == (3, 1)
        browser.run("document.querySelector('#table-jobs a').click()")
        WebDriverWait(browser.driver, 30).until(lambda _: "status" in browser.figures())
        assert browser.figures()["documents"] == "4"
        assert browser.complaints() == []


def test_an_open_page_follows_a_job_that_runs(
    folder: Path, tmp_path: Path, provider: Simulator, run_job: RunJob, browser: Browser
) -> None:
    for number in range(8):
        put(folder, f"{number}.txt", f"document {number} " * 50)
    gate, half = threading.Event(), threading.Event()

    def late(number: int) -> float:
        if number > 4:
            half.set()
            gate.wait(60)
        return 0.0

    provider.settings.delays = late
    out = tmp_path / "out"
    runner = threading.Thread(target=run_job, kwargs={"output": out, "concurrency": 1})
    with LivePageServer(JobSite(lambda: [str(out)])).serving() as url:
        runner.start()
        try:
            assert half.wait(60)
            browser.open(url.rstrip("/") + path_of(folder_at(str(out))))
            assert browser.figures()["status"] == "running"
            browser.run("document.documentElement.dataset.seen = 'the same page'")
        finally:
            gate.set()
            runner.join()
        WebDriverWait(browser.driver, 40).until(lambda _: browser.figures()["status"] == "done")
        assert browser.figures()["documents"] == "8"
        assert browser.run("return document.documentElement.dataset.seen") == "the same page"
        assert browser.complaints() == []
