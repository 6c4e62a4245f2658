"""The slow one is overtaken, the loser is heard out as it is paid for too, and there is never a third."""

import asyncio
from collections.abc import Callable

import pytest

from tasks.base.errors import AccountRefused, CallFailed, Transient
from tasks.dispatch.hedging import first_reply
from tasks.providers.protocol import Reply
from tests.dispatch.traffic import now
from tests.virtual import run_virtually

Outcome = int | Exception


class Server:
    """Answers each request after its seconds, with a status or an error; `full` is when there is a place again."""

    def __init__(self, *plan: tuple[float, Outcome], full: float = 0.0) -> None:
        self.plan, self.full = plan, full
        self.sent: list[float] = []
        self.cancelled: list[int] = []
        self.others: list[Reply | BaseException] = []
        self.entered = 0
        self.left = 0

    @property
    def heard(self) -> list[str]:
        """The bodies of the slower requests."""
        return [one.body.decode() for one in self.others if isinstance(one, Reply)]

    async def post(self) -> Reply:
        number = len(self.sent)
        self.sent.append(now())
        seconds, outcome = self.plan[number]
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        if isinstance(outcome, Exception):
            raise outcome
        return Reply(outcome, {}, str(number).encode())

    async def enter(self) -> Callable[[], None]:
        if self.full > now():
            await asyncio.sleep(self.full - now())
        self.entered += 1

        def leave() -> None:
            self.left += 1

        return leave


def ask(server: Server, slow: float | None) -> tuple[str, bool, float]:
    """Whose reply came first, whether two were sent, and when."""

    async def some() -> tuple[str, bool, float]:
        try:
            race = await first_reply(server.post, server.enter, slow)
            found = race.reply.body.decode(), race.other is not None, now()
            if race.other is not None:
                assert found[0] == str(int(race.is_second))
                server.others += await asyncio.gather(race.other, return_exceptions=True)
            return found
        finally:
            before = (len(server.sent), server.entered - server.left)
            await asyncio.sleep(1000)
            assert before == (len(server.sent), 0), "something went on after the reply"

    return run_virtually(some())


def test_a_slow_request_is_overtaken_and_heard_out() -> None:
    server = Server((100, 200), (1, 200))
    assert ask(server, 2.0) == ("1", True, 3.0)
    assert server.heard == ["0"]
    assert server.cancelled == []


def test_a_second_that_is_slower_is_heard_out_and_leaves_its_place_then() -> None:
    server = Server((3, 200), (100, 200))
    assert ask(server, 2.0) == ("0", True, 3.0)
    assert server.heard == ["1"]
    assert server.cancelled == []
    assert (server.entered, server.left) == (1, 1)


def test_a_quick_request_is_never_hedged() -> None:
    server = Server((1.9, 200))
    assert ask(server, 2.0) == ("0", False, 1.9)


def test_nothing_is_hedged_before_it_is_known_what_is_slow() -> None:
    server = Server((1000, 200))
    assert ask(server, None) == ("0", False, 1000.0)


def test_there_is_never_a_third() -> None:
    server = Server((5000, 200), (900, 200))
    assert ask(server, 1.0) == ("1", True, 901.0)
    assert len(server.sent) == 2


def test_a_second_that_found_no_place_before_the_reply_was_never_sent() -> None:
    server = Server((5, 200), full=10)
    assert ask(server, 2.0) == ("0", False, 5.0)
    assert (len(server.sent), server.entered) == (1, 0)


@pytest.mark.parametrize("failure", [503, Transient("connection", "reset")])
def test_a_failure_doesn_t_win_over_an_answer_to_come(failure: Outcome) -> None:
    assert ask(Server((100, 200), (1, failure)), 2.0) == ("0", True, 100.0)
    assert ask(Server((3, failure), (10, 200)), 2.0) == ("1", True, 12.0)


def test_where_both_fail_the_last_one_is_heard() -> None:
    with pytest.raises(CallFailed, match="second"):
        ask(Server((3, Transient("connection", "first")), (10, Transient("timeout", "second"))), 2.0)
    assert ask(Server((3, 500), (10, 503)), 2.0)[:2] == ("1", True)


def test_a_quick_failure_is_not_hedged() -> None:
    server = Server((1, Transient("connection", "reset")))
    with pytest.raises(Transient):
        ask(server, 2.0)
    assert len(server.sent) == 1


def test_a_lost_route_is_said_at_once_and_the_other_request_cancelled() -> None:
    server = Server((100, 200), (1, AccountRefused("no credit")))
    with pytest.raises(AccountRefused):
        ask(server, 2.0)
    assert server.cancelled == [0]


@pytest.mark.parametrize("after", [1.0, 3.0])
def test_a_cancel_from_outside_cancels_both(after: float) -> None:
    server = Server((100, 200), (100, 200))

    async def some() -> None:
        task = asyncio.create_task(ask_once())
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def ask_once() -> None:
        await first_reply(server.post, server.enter, 2.0)

    run_virtually(some())
    assert server.cancelled == list(range(len(server.sent)))
    assert server.entered == server.left


@pytest.mark.parametrize("loser", [200, Transient("connection", "reset")])
def test_two_that_end_in_the_same_moment_leave_nothing_unheard(loser: Outcome) -> None:
    server, unheard = Server((4, 200), (2, loser)), []

    async def some() -> Reply:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context["message"]))
        race = await first_reply(server.post, server.enter, 2.0)
        assert race.other is not None
        await asyncio.gather(race.other, return_exceptions=True)
        return race.reply

    assert run_virtually(some()).status == 200
    assert unheard == []
