"""Read the model lists of the providers there is an account with, and keep what changed."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.base.errors import CallFailed, RouteUnavailable
from tasks.base.settings import Settings
from tasks.dispatch.client import Client
from tasks.models.candidates import COMPATIBLE
from tasks.models.catalogue import Catalogue, Provider, load_catalogue
from tasks.models.live_catalogue import Change, Snapshot, changes, pinned_rows, save_snapshot
from tasks.planning.accounts import account_with, available, catalogue_folder, lists_of
from tasks.providers.account import Account
from tasks.providers.registry import wire_of

LIST_SECONDS, QUICK_SECONDS = 60.0, 10.0
# How long a list is live.
OLD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """One provider's list: how many models, what changed, what was kept as set by hand; or why it couldn't be read."""

    provider: str
    models: int = 0
    changes: Sequence[Change] = ()
    kept: Sequence[tuple[str, str]] = ()
    trouble: str | None = None


def refresh(
    names: Sequence[str],
    settings: Settings,
    folder: Path,
    now: datetime | None = None,
    seconds: float = LIST_SECONDS,
) -> list[Refreshed]:
    """Read the lists of these providers side by side, and keep them. Raises OSError where they can't be kept."""
    catalogue = load_catalogue()
    providers = [catalogue.provider(name) for name in names]
    accounts = [account_with(provider, settings) for provider in providers]
    read = asyncio.run(_read_all(providers, accounts, settings, now or datetime.now(UTC), seconds))
    before = {snapshot.provider: snapshot for snapshot in lists_of(settings)}
    return [
        one if isinstance(one, Refreshed) else _keep(one, before.get(one.provider), catalogue, folder) for one in read
    ]


def refresh_if_old(settings: Settings) -> None:
    """Read the lists that are older than OLD; a list that can't be read or saved stays as it was."""
    folder, now = catalogue_folder(settings), datetime.now(UTC)
    young = {snapshot.provider for snapshot in lists_of(settings) if now - snapshot.at < OLD}
    there = available(load_catalogue(), settings)
    with contextlib.suppress(OSError):
        names = [name for name in there if name not in {*young, COMPATIBLE}]
        refresh(names, settings, folder, now, QUICK_SECONDS)


def _keep(snapshot: Snapshot, before: Snapshot | None, catalogue: Catalogue, folder: Path) -> Refreshed:
    differences = list(changes(before, snapshot))
    save_snapshot(folder, snapshot)
    return Refreshed(snapshot.provider, len(snapshot.entries), differences, list(pinned_rows(catalogue, snapshot)))


async def _read_all(
    providers: Sequence[Provider], accounts: Sequence[Account], settings: Settings, now: datetime, seconds: float
) -> list[Snapshot | Refreshed]:
    async with Client(settings.transport()) as client:
        reads = [_read(client, *pair, now, seconds) for pair in zip(providers, accounts, strict=True)]
        return list(await asyncio.gather(*reads))


async def _read(
    client: Client, provider: Provider, account: Account, now: datetime, seconds: float
) -> Snapshot | Refreshed:
    """Read one list; an error is returned as its `trouble` and doesn't affect the other lists."""
    wire = wire_of(provider.wire)
    if provider.name == COMPATIBLE:  # whichever server that is today
        return Refreshed(provider.name, trouble="its list is read at the start of each job")
    if wire.models_path is None:
        return Refreshed(provider.name, trouble="it has no list of models")
    url = account.base_url + wire.models_path
    try:
        reply = account.hidden(await client.get(url, account.headers("GET", url), seconds))
    except (CallFailed, RouteUnavailable) as error:
        return Refreshed(provider.name, trouble=str(error))
    entries = tuple({entry.key: entry for entry in wire.listed(reply)}.values())
    if reply.status >= 300 or not entries:
        return Refreshed(provider.name, trouble=f"HTTP {reply.status} and no list of models: check the key and the URL")
    return Snapshot(provider.name, now, entries, account.base_url)
