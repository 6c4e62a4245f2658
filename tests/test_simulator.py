"""The simulated provider keeps its limits, has the faults it is told to, and counts both."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.quota import Allowance, Quota
from tests.simulator import FAULTS, Settings, Simulator, serving

HEADERS = {"Authorization": "Bearer secret-key-of-the-tests"}
Reply = tuple[int, dict[str, str], Any]


def body(text: str = "Hello there", most: int = 10) -> dict[str, Any]:
    return {"model": "sim-model", "messages": [{"role": "user", "content": text}], "max_tokens": most}


class Client:
    """A client of one simulator."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def ask(self, text: str = "Hello there", seconds: float = 5) -> Reply:
        timeout = aiohttp.ClientTimeout(seconds)
        url = f"{self.url}/chat/completions"
        async with self.session.post(url, json=body(text), headers=HEADERS, timeout=timeout) as reply:
            headers = {name.lower(): value for name, value in reply.headers.items()}
            return reply.status, headers, await reply.json(content_type=None)

    async def counts(self) -> dict[str, Any]:
        async with self.session.get(self.url.removesuffix("/v1") + "/counts") as reply:
            found: dict[str, Any] = await reply.json()
            return found

    async def change(self, **settings: Any) -> int:
        async with self.session.post(self.url.removesuffix("/v1") + "/settings", json=settings) as reply:
            return reply.status


def talk(url: str, work: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await work(Client(session, url))

    asyncio.run(run())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_a_quota_refuses_and_tells_what_is_left() -> None:
    quota = Quota([Allowance("requests", 2), Allowance("tokens", 1000, settled=True)], "openai", "exact")
    with serving(Settings(quota=quota)) as simulator:

        async def work(client: Client) -> None:
            status, headers, _ = await client.ask()
            assert (status, headers["x-ratelimit-remaining-requests"]) == (200, "1")
            # Two tokens of prompt and five written; ten were booked for them.
            assert headers["x-ratelimit-remaining-tokens"] == "993"
            await client.ask()
            status, headers, answer = await client.ask()
            assert (status, headers["x-ratelimit-remaining-requests"]) == (429, "0")
            assert 58 <= int(headers["retry-after"]) <= 60
            assert answer["error"]["code"] == "rate_limit_exceeded"
            counts = await client.counts()
            assert (counts["requests"], counts["answers"], counts["refused"]) == (3, 2, 1)

        talk(simulator.url, work)


# What a client makes of each fault: a status, or nothing where it can't be read.
SEEN = {
    "http_429": 429,
    "http_500": 500,
    "http_503": 503,
    "http_529": 529,
    "html_502": None,
    "reset": None,
    "hang": None,
    "truncated": None,
    "broken_json": None,
    "empty_choices": 200,
    "empty_text": 200,
    "error_in_200": 200,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_poisoned_prompt_has_its_fault_each_time_and_is_no_answer(name: str) -> None:
    with serving(Settings(poison={"POISON": name})) as simulator:

        async def seen(client: Client) -> int | None:
            try:
                status, headers, _ = await client.ask("a POISON", seconds=0.5)
            except (aiohttp.ClientError, ValueError, TimeoutError):
                return None
            assert "retry-after" not in headers
            return status

        async def work(client: Client) -> None:
            assert [await seen(client), await seen(client)] == [SEEN[name]] * 2
            assert (await client.ask("healthy"))[0] == 200
            counts = await client.counts()
            assert (counts["requests"], counts["answers"], counts["faults"]) == (3, 1, {name: 2})

        talk(simulator.url, work)


def test_a_proxy_answers_in_html() -> None:
    with serving(Settings(poison={"POISON": "html_502"})) as simulator:

        async def work(client: Client) -> None:
            url = f"{client.url}/chat/completions"
            async with client.session.post(url, json=body("a POISON"), headers=HEADERS) as reply:
                assert (reply.status, reply.content_type) == (502, "text/html")

        talk(simulator.url, work)


def test_empty_answers_are_whole_json() -> None:
    poison = {"CHOICES": "empty_choices", "TEXT": "empty_text", "ERROR": "error_in_200"}
    with serving(Settings(poison=poison)) as simulator:

        async def work(client: Client) -> None:
            assert (await client.ask("CHOICES"))[2]["choices"] == []
            assert (await client.ask("TEXT"))[2]["choices"][0]["message"]["content"] == ""
            assert (await client.ask("ERROR"))[2]["error"]["code"] == 502

        talk(simulator.url, work)


def test_chaos_takes_its_share_and_is_drawn_anew() -> None:
    with serving(Settings(chaos={"http_500": 0.2, "http_529": 0.1})) as simulator:

        async def work(client: Client) -> None:
            replies = [await client.ask("always the same") for _ in range(400)]
            statuses = [status for status, _, _ in replies]
            assert 50 <= statuses.count(500) <= 110
            assert 20 <= statuses.count(529) <= 65
            counts = await client.counts()
            assert counts["faults"] == {"http_500": statuses.count(500), "http_529": statuses.count(529)}
            assert counts["answers"] == statuses.count(200)

        talk(simulator.url, work)


def test_a_request_hangs_until_its_client_leaves() -> None:
    with serving(Settings(poison={"POISON": "hang"})) as simulator:

        async def work(client: Client) -> None:
            with pytest.raises(TimeoutError):
                await client.ask("POISON", seconds=0.3)
            await until(lambda: simulator.counts.in_flight == 0)
            assert simulator.counts.answers == 0

        talk(simulator.url, work)


def test_a_request_that_hangs_does_not_hold_up_the_end() -> None:
    async def work(url: str, simulator: Simulator) -> None:
        async with aiohttp.ClientSession() as session:
            asking = asyncio.create_task(Client(session, url).ask("POISON", seconds=60))
            await until(lambda: simulator.counts.in_flight == 1)
            asking.cancel()

    with serving(Settings(poison={"POISON": "hang"})) as simulator:
        asyncio.run(work(simulator.url, simulator))
        began = time.monotonic()
    assert time.monotonic() - began < 10


def test_an_answer_whose_client_has_left_was_still_made() -> None:
    with serving(Settings(latency=0.3)) as simulator:

        async def work(client: Client) -> None:
            with pytest.raises(TimeoutError):
                await client.ask(seconds=0.1)
            await until(lambda: simulator.counts.answers == 1)

        talk(simulator.url, work)


def test_a_connection_is_closed_when_it_was_idle_and_not_before() -> None:
    with serving(Settings(idle_seconds=0.4)) as simulator:

        async def work(client: Client) -> None:
            connector = client.session.connector
            assert connector is not None
            for pause, open_after in ((0.1, True), (0.3, True), (0.9, False), (0, True)):
                await client.ask()
                (pooled,) = connector._conns.values()
                (protocol,) = [protocol for protocol, _ in pooled]
                await asyncio.sleep(pause)
                assert protocol.is_connected() == open_after
            assert simulator.counts.answers == 4

        talk(simulator.url, work)


def test_delays_are_by_request_number() -> None:
    with serving(Settings(delays=lambda number: 0.3 if number == 1 else 0)) as simulator:

        async def work(client: Client) -> None:
            took = []
            for _ in range(2):
                began = time.perf_counter()
                await client.ask()
                took.append(time.perf_counter() - began)
            assert took[0] >= 0.3 > took[1]

        talk(simulator.url, work)


def test_nothing_is_remembered_where_it_should_not() -> None:
    with serving(Settings(remember=False)) as simulator:

        async def work(client: Client) -> None:
            for number in range(5):
                await client.ask(f"text {number}")

        talk(simulator.url, work)
        counts = simulator.counts
        assert (counts.requests, counts.answers) == (5, 5)
        assert not any((counts.bodies, counts.answered, counts.prompts, counts.times))


def test_settings_change_while_it_runs_and_a_quota_keeps_its_history() -> None:
    with serving() as simulator:

        async def work(client: Client) -> None:
            ten, two = ({"allowances": [{"unit": "requests", "amount": amount}]} for amount in (10, 2))
            assert await client.change(quota=ten, remember=False) == 200
            assert [(await client.ask())[0] for _ in range(3)] == [200] * 3
            assert await client.change(quota=two) == 200
            assert (await client.ask())[0] == 429
            assert await client.change(quota=None, chaos={"http_503": 1}) == 200
            assert (await client.ask())[0] == 503

        talk(simulator.url, work)


@pytest.mark.parametrize(
    "wrong", [{"chaos": {"no_such": 1}}, {"no_such": 1}, {"write": "x"}, {"quota": {"allowances": [], "spelling": "x"}}]
)
def test_wrong_settings_are_refused_and_change_nothing(wrong: dict[str, Any]) -> None:
    settings = Settings()
    with pytest.raises((ValueError, TypeError)):
        settings.change(wrong | {"latency": 9.0})
    assert settings == Settings(finish=settings.finish)


def test_two_thousand_connections_at_once_are_taken() -> None:
    with serving(Settings(latency=1.0, remember=False)) as simulator:

        async def work(client: Client) -> None:
            replies = await asyncio.gather(*(client.ask(f"{number}", seconds=60) for number in range(2000)))
            assert {status for status, _, _ in replies} == {200}

        talk(simulator.url, work)
        assert simulator.counts.most_in_flight > 500


def test_it_is_served_alone_with_settings_from_the_command_line() -> None:
    words = ["0", "--settings", json.dumps({"chaos": {"http_503": 1.0}, "quota": {"allowances": []}})]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.simulator", *words], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None

        async def work(client: Client) -> None:
            assert (await client.ask())[0] == 503

        try:
            talk(server.stdout.readline().strip(), work)
        finally:
            server.terminate()
