"""Which route a document goes to: in order, by shares, around those that are lost or down; and how long it waits."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import AccountRefused, JobPaused, NoRouteLeft, Transient
from tasks.calls.call_context import DocumentProgress
from tasks.calls.route_client import RouteClient
from tasks.calls.scheduler import RouteScheduler
from tests.calls.desk import Desk, said


class User:
    """What asks a route, as the scheduler sees it."""

    def __init__(self, client: RouteClient) -> None:
        self.client = client


class Scene:
    """Routes by their names, their scheduler, and a clock that goes ahead whenever somebody sleeps."""

    def __init__(self, folder: Path, names: str, shares: dict[str, float] | None = None) -> None:
        self.now, self.stopped = 1000.0, list[JobPaused]()
        self.desks = [Desk(folder / name, lambda _: said("Yes.")) for name in names]
        for name, desk in zip(names, self.desks, strict=True):
            desk.client.route = replace(desk.client.route, provider=name)
            desk.client.dispatcher.clock = self.clock
        self.users = {name: User(desk.client) for name, desk in zip(names, self.desks, strict=True)}
        labels = {f"{name}/m": share for name, share in shares.items()} if shares else None
        meter = self.desks[0].meter
        self.scheduler = RouteScheduler[User](
            list(self.users.values()), meter, self.stopped.append, self.check, 60.0, labels,
            clock=self.clock, sleep=self.sleep,
        )  # fmt: skip

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def check(self) -> None:
        if self.stopped:
            raise self.stopped[0]

    async def next(self, document_id: str = "a.txt") -> str:
        """The route that a document gets."""
        return (await self.scheduler.route(DocumentProgress(document_id))).client.route.provider

    async def close(self) -> None:
        for desk in self.desks:
            await asyncio.to_thread(desk.ledger.close)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """Run some work with routes of these names."""

    def ran(work: Callable[[Scene], Coroutine[Any, Any, Any]], names: str = "xy", **words: Any) -> Any:
        async def all_of_it() -> Any:
            scene = Scene(tmp_path, names, **words)
            try:
                return await work(scene)
            finally:
                await scene.close()

        return asyncio.run(all_of_it())

    return ran


def test_the_first_route_is_taken_as_long_as_it_is_there(run: Callable[..., Any]) -> None:
    async def work(scene: Scene) -> list[str]:
        found = [await scene.next()]
        scene.users["x"].client.dispatcher.lose(AccountRefused("no credit"))
        return [*found, await scene.next()]

    assert run(work) == ["x", "y"]


def test_a_route_that_is_down_is_gone_around_and_probed_by_one(run: Callable[..., Any]) -> None:
    async def work(scene: Scene) -> list[str]:
        scene.users["x"].client.dispatcher.breaker.trip(scene.now)
        found = [await scene.next("a"), await scene.next("b")]
        scene.now += 100.0
        return [*found, await scene.next("c"), await scene.next("d")]

    assert run(work) == ["y", "y", "x", "y"]


def test_a_pool_gives_each_route_its_share(run: Callable[..., Any]) -> None:
    async def work(scene: Scene) -> Counter[str]:
        return Counter([await scene.next(str(number)) for number in range(100)])

    found = run(work, "xyz", shares={"x": 0.5, "y": 0.3, "z": 0.2})
    assert found == {"x": 50, "y": 30, "z": 20}


def test_when_all_are_down_it_is_waited_as_long_as_patience_lasts_and_no_longer(run: Callable[..., Any]) -> None:
    async def work(scene: Scene) -> float:
        for user in scene.users.values():
            user.client.dispatcher.breaker.trip(scene.now + 1e6)
        began = scene.now
        with pytest.raises(NoRouteLeft):
            await scene.next()
        assert isinstance(scene.stopped[0], NoRouteLeft)
        return scene.now - began

    assert run(work) == pytest.approx(60.0, abs=1.0)


def test_when_all_are_lost_nobody_waits(run: Callable[..., Any]) -> None:
    async def work(scene: Scene) -> float:
        for user in scene.users.values():
            user.client.dispatcher.lose(AccountRefused("no credit"))
        began = scene.now
        with pytest.raises(NoRouteLeft, match="no credit"):
            await scene.next()
        return scene.now - began

    assert run(work) == 0.0


def test_the_last_document_that_alone_fails_is_at_fault_and_not_the_route(run: Callable[..., Any]) -> None:
    """Others were answered meanwhile, so its call is given up rather than the route."""

    async def work(scene: Scene) -> dict[str, Any]:
        client = scene.users["x"].client
        client.dispatcher.breaker.answered = 1000
        client.dispatcher.breaker.answered_at = scene.now
        progress = DocumentProgress("bad.txt")
        progress.exhausted["call"] = Transient("timeout", "it broke")
        progress.exhausted_at[client.route] = scene.now + 1
        scene.scheduler.listed, scene.scheduler.listed_all = 1, True
        user = await scene.scheduler.route(progress)
        return {"route": user.client.route.provider, "given_up": set(progress.given_up)}

    assert run(work, "x") == {"route": "x", "given_up": {"call"}}
