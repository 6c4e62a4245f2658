"""Share the limits of an account with the other jobs that use it, where the options or DOCMILL_LIMITS say so."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import platformdirs

from tasks.base.errors import JobPaused, UserMistake
from tasks.base.settings import Settings
from tasks.dispatch.limits.gate import Limits
from tasks.dispatch.limits.lease_client import Exchange, Leaser
from tasks.dispatch.limits.leases import LeaseRequest, Leases, traded
from tasks.ledger.address import address_of, is_url
from tasks.ledger.register import FileRegister, Register
from tasks.providers.account import Account

VARIABLE = "DOCMILL_LIMITS"
HERE, FILE = "here", "limits.sqlite"


@contextlib.contextmanager
def sharing(place: str | None, settings: Settings) -> Iterator["Sharing | None"]:
    """Open the register that a place names for the block, or none where nothing says so.

    Raises UserMistake where it can't be used.
    """
    named = place or settings.word(VARIABLE)
    if not named:
        yield None
        return
    register = _register(named, settings)
    # On a separate thread, so that the event loop doesn't block.
    with contextlib.closing(register), ThreadPoolExecutor(1, "limits") as thread:
        yield Sharing(register, thread)


class Sharing:
    """The register in which the jobs' books lie, and the thread that asks it."""

    def __init__(self, register: Register, thread: ThreadPoolExecutor) -> None:
        self._register, self._thread = register, thread

    async def lease(
        self, account: Account, limits: Limits, trouble: Callable[[str, str], None], stop: Callable[[JobPaused], None]
    ) -> "LeaseTask":
        """Lease what a gate's callers need from now on, on the running event loop; `stop` is for a defect in that."""
        loop, name = asyncio.get_running_loop(), account.fingerprint()

        async def exchange(ask: LeaseRequest) -> Leases:
            return await loop.run_in_executor(self._thread, self._register.change, name, partial(traded, ask))

        return leased(account, limits, exchange, trouble, stop)


def leased(
    account: Account,
    limits: Limits,
    exchange: Exchange,
    trouble: Callable[[str, str], None],
    stop: Callable[[JobPaused], None],
) -> "LeaseTask":
    """Lease what a gate's callers need by exchanges with whoever keeps the book, on the running event loop."""
    told = partial(trouble, f"shared limits of {account.provider}")
    return LeaseTask(Leaser(limits, exchange, secrets.token_hex(6), told), stop)


class LeaseTask:
    """One gate's leaser at work."""

    def __init__(self, leaser: Leaser, stop: Callable[[JobPaused], None]) -> None:
        self._leaser, self._stop = leaser, stop
        self._task = asyncio.ensure_future(leaser.run())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Future[None]") -> None:
        # Otherwise no call would ever be let through again.
        if not task.cancelled() and (error := task.exception()) is not None:
            self._stop(JobPaused(f"the shared limits broke: {type(error).__name__}: {error}"))

    async def end(self) -> None:
        """Lease no more, and give back what is held."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._leaser.leave()


def _register(named: str, settings: Settings) -> Register:
    if is_url(named, "--share-limits", VARIABLE):
        return _in_database(named, settings)
    register = FileRegister((platformdirs.user_state_path("docmill") if named == HERE else Path(named)) / FILE)
    register.open()
    return register


def _in_database(url: str, settings: Settings) -> Register:
    try:
        from tasks.ledger.postgres_connection import Database  # noqa: PLC0415 - as above
        from tasks.ledger.postgres_register import SCHEMA, PostgresRegister  # noqa: PLC0415 - few ask for it
    except ImportError as error:
        raise UserMistake("--share-limits postgresql:// needs psycopg: pip install 'docmill[postgres]'") from error
    address = address_of(url, settings.get("PGPASSWORD"))
    register = PostgresRegister(Database(address, SCHEMA, "shared limits", "--share-limits"))
    register.open()
    return register
