"""A deadline ends what hangs, soon after its time, and nothing else."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dispatch.deadlines import LOOK_SECONDS, Deadlines
from tests.dispatch.traffic import now
from tests.virtual import run_virtually


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 30)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_hang_ends_at_its_deadline_or_half_a_second_after(hangs: list[tuple[float, float]]) -> None:
    async def hang(deadlines: Deadlines, later: float, seconds: float) -> None:
        await asyncio.sleep(later)
        with pytest.raises(TimeoutError), deadlines.within(seconds):
            await asyncio.Event().wait()
        assert seconds <= now() - later + 1e-6 <= seconds + LOOK_SECONDS + 1e-3

    async def all_hangs() -> None:
        deadlines = Deadlines()
        await asyncio.gather(*(hang(deadlines, *one) for one in hangs))

    run_virtually(all_hangs())
    assert LOOK_SECONDS <= 0.5


def test_what_ends_in_time_is_left_alone_then_and_later() -> None:
    async def some() -> str:
        deadlines = Deadlines()
        for _ in range(100):
            with deadlines.within(1.0):
                await asyncio.sleep(0.9)
        await asyncio.sleep(100)
        return "done"

    assert run_virtually(some()) == "done"


def test_its_own_error_comes_out_as_it_is() -> None:
    async def some() -> None:
        with Deadlines().within(10):
            await asyncio.sleep(1)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run_virtually(some())


@pytest.mark.parametrize("after", [0.0, 3.0, 5.0, 5.2])
def test_a_cancel_from_outside_stays_a_cancel(after: float) -> None:
    """Even where the deadline has passed, and nobody has looked yet."""

    async def some() -> None:
        deadlines = Deadlines()

        async def hang() -> None:
            with deadlines.within(5.1):
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(some())


def test_a_cancel_from_outside_in_the_moment_of_the_deadline_stays_a_cancel() -> None:
    async def some() -> None:
        deadlines = Deadlines()

        async def hang() -> None:
            with deadlines.within(0.5):
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() + LOOK_SECONDS, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(some())


def test_a_task_that_missed_a_deadline_may_go_on_and_miss_another() -> None:
    async def some() -> int:
        deadlines, missed = Deadlines(), 0
        for _ in range(5):
            try:
                with deadlines.within(1):
                    await asyncio.sleep(100)
            except TimeoutError:
                missed += 1
        async with asyncio.timeout(10):
            await asyncio.sleep(1)
        return missed

    assert run_virtually(some()) == 5


async def broken() -> None:
    try:
        await asyncio.sleep(100)
    except asyncio.CancelledError:
        raise ConnectionError from None


def test_a_deadline_that_comes_out_as_another_error_leaves_no_cancel_behind() -> None:
    async def some() -> None:
        deadlines = Deadlines()
        with pytest.raises(ConnectionError), deadlines.within(1):
            await broken()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        with pytest.raises(TimeoutError), deadlines.within(1):
            await asyncio.sleep(100)

    run_virtually(some())


def test_once_closed_nobody_looks_any_more() -> None:
    async def some() -> None:
        deadlines = Deadlines()
        with deadlines.within(1):
            deadlines.close()
            await asyncio.sleep(10)

    run_virtually(some())
