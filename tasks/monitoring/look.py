"""One look at all routes, by lists, probes and the jobs' own calls, and the statistics after it."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tasks.base.errors import CallFailed, RouteUnavailable
from tasks.base.settings import Settings
from tasks.dispatch.budget import Spending
from tasks.dispatch.client import Client
from tasks.dispatch.exchanger import Sender
from tasks.models.candidates import COMPATIBLE, LOCAL
from tasks.monitoring.advice import advise
from tasks.monitoring.alarms import alarms
from tasks.monitoring.event_history import INTERRUPTED, History
from tasks.monitoring.fold import fold
from tasks.monitoring.health_records import Health, HealthEvent, Skipped
from tasks.monitoring.monitor_options import MonitorOptions
from tasks.monitoring.probe import Outcome, Prober, blank, probe_all, unfit, worst_case
from tasks.monitoring.route_facts import facts
from tasks.monitoring.statistics import health_of
from tasks.monitoring.targets import Looking, ProbeTarget, local_file
from tasks.planning.accounts import available, catalogue_folder, live_catalogue
from tasks.planning.refresh import QUICK_SECONDS, refresh
from tasks.providers.account import Account
from tasks.providers.local_server import local_server
from tasks.providers.local_vectors import ACCOUNT, LocalVectors
from tasks.providers.registry import wire_of

DAY = timedelta(days=1)
LOCAL_CONTEXT = 8192
# What a provider's list says of its routes: why it can't be read, or None.
Lists = Mapping[str, str | None]
# The sender (None: the HTTP client) and the account of this machine's models, by kind.
Here = Mapping[str, tuple[Sender | None, Account]]


def look(history: History, options: MonitorOptions, settings: Settings) -> Health:
    """Look at all routes once, keep what was seen, and return what the history tells.

    Raises UserMistake for options that can't be, or where another monitor probes; StorageFailed.
    """
    began = datetime.now(UTC)
    with history.probing():
        lists = _lists(options, settings)
        catalogue = live_catalogue(settings)
        looking = Looking(catalogue, settings, options.known_price, options.kind)
        targets = looking.targets(options.provider, options.model, options.routes)
        with history.held():
            history.recover()
            spent = history.spent(began - DAY)
        outcomes = _probe(history, targets, options, spent, settings, lists)
    with history.held():
        _, troubles = fold(history)
        history.compact(began)
        named = {(one.provider, one.model) for one in targets if one.is_named}
        health = health_of(history, datetime.now(UTC), named)
    sent = [one for one in outcomes if isinstance(one, HealthEvent) and one.prompt_characters is not None]
    there = available(catalogue, settings)
    return replace(
        health,
        alarms=tuple(alarms(health.routes, began, options.alarm_price)),
        advice=tuple(advise(facts(history.folder, catalogue, there))),
        skipped=(*(one for one in outcomes if isinstance(one, Skipped)), *(Skipped("", "", why) for why in troubles)),
        probes=len(sent),
        spent_usd=sum(one.cost_usd or 0.0 for one in sent),
    )


def _lists(options: MonitorOptions, settings: Settings) -> Lists:
    """Read the lists of the providers that are looked at, which costs nothing, and keep what they tell."""
    catalogue = live_catalogue(settings)
    named = [route.partition("/")[0] for route in options.routes] + ([options.provider] if options.provider else [])
    wanted = {name.partition("@")[0].lower() for name in named}
    names = [name for name in available(catalogue, settings) if not wanted or name in wanted]
    names = [name for name in names if name != COMPATIBLE and wire_of(catalogue.provider(name).wire).models_path]
    with contextlib.suppress(OSError):  # what can't be kept is as it was
        read = refresh(names, settings, catalogue_folder(settings), seconds=QUICK_SECONDS)
        return {one.provider: one.trouble for one in read}
    return {}


def _probe(
    history: History, targets: Sequence[ProbeTarget], options: MonitorOptions, spent: float,
    settings: Settings, lists: Lists,
) -> list[Outcome]:  # fmt: skip
    """Probe the targets that the budget allows; for all others, record what their lists state. All events are kept."""
    history.expect([_worst(one, size) for one in targets for size in options.sizes if _costs(one, size)])
    with _here(targets, settings) as here:
        outcomes = asyncio.run(_round(targets, options, spent, settings, here, lists))
    # If this isn't reached, the expected worst case stays in the history.
    history.settle([one for one in outcomes if isinstance(one, HealthEvent)])
    return outcomes


def _costs(target: ProbeTarget, size: int) -> bool:
    return bool(worst_case(target, size)) and unfit(target, size) is None


def _worst(target: ProbeTarget, size: int) -> HealthEvent:
    """Return the event that stands for a probe if the process is killed before its end."""
    event = blank(target, datetime.now(UTC))
    return event._replace(prompt_characters=size, error_kind=INTERRUPTED, cost_usd=worst_case(target, size))


async def _round(
    targets: Sequence[ProbeTarget], options: MonitorOptions, spent: float, settings: Settings, here: Here, lists: Lists
) -> list[Outcome]:
    async with Client(settings.transport()) as client:
        prober = Prober(client, Spending(options.probe_budget, spent), here)
        outcomes = await probe_all(prober, targets, options.sizes)
        asked = {(one.provider, one.model) for one in outcomes if isinstance(one, HealthEvent)}
        rest = [one for one in targets if (one.provider, one.model) not in asked]
        compatible = await _compatible(client, rest)
        listed = [event for one in rest if (event := _listed(one, lists, compatible)) is not None]
    # Without a budget, skipped probes aren't reported.
    quiet = options.probe_budget == 0 and not any(one.is_named for one in targets)
    return [*(one for one in outcomes if isinstance(one, HealthEvent) or not quiet), *listed]


def _listed(target: ProbeTarget, lists: Lists, compatible: Mapping[str, str | None]) -> HealthEvent | None:
    """Return what its provider's list says of a route; None where there is no list."""
    name = target.candidate.provider.name
    event = blank(target, datetime.now(UTC))
    if name == COMPATIBLE:
        trouble = compatible.get(target.candidate.id)
        return event._replace(ok=trouble is None, error_kind=trouble)
    if name not in lists:
        return None
    if lists[name] is not None:
        return event._replace(error_kind="list_failed")
    served = target.candidate.served
    gone = served is not None and (served.is_gone or served.available is False)
    return event._replace(ok=not gone, error_kind="not_listed" if gone else None)


async def _compatible(client: Client, targets: Sequence[ProbeTarget]) -> dict[str, str | None]:
    """Return what the list of a compatible server says of each of its models: what is wrong, or None."""
    ours = [one for one in targets if one.candidate.provider.name == COMPATIBLE and one.account is not None]
    if not ours or ours[0].account is None:
        return {}
    account, wire = ours[0].account, wire_of(ours[0].candidate.provider.wire)
    url = account.base_url + (wire.models_path or "/")
    try:
        reply = await client.get(url, account.headers("GET", url), QUICK_SECONDS)
    except (CallFailed, RouteUnavailable):
        return dict.fromkeys((one.candidate.id for one in ours), "list_failed")
    ids = {one.id for one in wire.listed(reply)}
    trouble = "not_listed" if ids and reply.status < 300 else "list_failed"
    return {one.candidate.id: None if one.candidate.id in ids else trouble for one in ours}


@contextlib.contextmanager
def _here(targets: Sequence[ProbeTarget], settings: Settings) -> Iterator[Here]:
    """Start the models of this machine that are looked at; yield their sender and account by kind."""
    kinds = {one.kind for one in targets if one.candidate.provider.name == LOCAL}
    with contextlib.ExitStack() as stack:
        here: dict[str, tuple[Sender | None, Account]] = {}
        if "embedding" in kinds:
            here["embedding"] = (LocalVectors(), ACCOUNT)
        if "chat" in kinds:
            account = stack.enter_context(local_server(local_file(settings), context=LOCAL_CONTEXT, slots=1))
            here["chat"] = (None, account)
        yield here
