"""Virtual time is a loop's time in all its uses, and costs none."""

import asyncio
import time

import pytest

from tests.virtual import Deadlock, run_virtually


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_day_of_naps_passes_at_once() -> None:
    async def nap() -> float:
        for _ in range(24):
            await asyncio.sleep(3600)
        return now()

    began = time.perf_counter()
    assert run_virtually(nap()) == 24 * 3600
    assert time.perf_counter() - began < 5


def test_sleepers_wake_in_the_order_of_their_time() -> None:
    woken: list[tuple[float, float]] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((seconds, now()))

    async def sleep_all() -> None:
        await asyncio.gather(*(sleep(seconds) for seconds in (90, 0.5, 7200, 3)))

    run_virtually(sleep_all())
    assert woken == [(0.5, 0.5), (3, 3), (90, 90), (7200, 7200)]


def test_a_timeout_ends_what_is_longer() -> None:
    async def cut() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await asyncio.sleep(1000)
        return now()

    assert run_virtually(cut()) == 100


def test_a_timer_is_called_at_its_time_unless_cancelled() -> None:
    called: list[float] = []

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(60, lambda: called.append(now()))
        loop.call_later(30, lambda: called.append(now())).cancel()
        await asyncio.sleep(120)

    run_virtually(wait())
    assert called == [60]


def test_a_deadlock_is_said_and_what_waits_is_cleaned_up() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    with pytest.raises(Deadlock, match="nobody sleeps"):
        run_virtually(wait())
    assert ended == ["cleaned up"]


def test_an_error_comes_out_as_it_is() -> None:
    async def fail() -> None:
        await asyncio.sleep(5)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run_virtually(fail())
