"""The monitor's command line, its Prefect tasks and its alarms as events."""

import argparse
import contextlib
import dataclasses
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from prefect import task
from prefect.events import emit_event
from rich.console import Console

from tasks.command import WAITING_FOR, prefect_server, said, settled
from tasks.monitoring.event_history import History
from tasks.monitoring.health_records import Health
from tasks.monitoring.look import look
from tasks.monitoring.monitor_options import MonitorOptions
from tasks.monitoring.statistics import health_of
from tasks.pages.health_page import health_page
from tasks.pages.live import LivePageServer
from tasks.pages.site import JobLine, JobSite
from tasks.planning.job_register import history_folder, registered
from tasks.prefect_server import block_key
from tasks.providers.account import read_environment
from tasks.results.location import named_place
from tasks.running.signals import SIGNALS
from tasks.terminal.flags import Parser, checked_options, seconds_in
from tasks.terminal.health_display import show_health

ALARMED = 3
RunFlow = Callable[[MonitorOptions], Health]
ABOUT = """
A look costs nothing beyond --probe-budget: without one, only what is free is asked, and of all
others their provider's list. Exit codes: 0, or 3 where a route in use (called by a job within
seven days, or named here) is down, or its price rose; 2 a mistake, 130/143 ended by a signal.
"""


class Ending:
    """Whether a signal has asked the monitor to end; the second ends it at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.asked = threading.Event()

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM end a look after its answers have come, on the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            os._exit(128 + number)
        self.number = number
        self.asked.set()


ENDING = Ending()


@task(name="look at routes", persist_result=False)
def look_at_routes(options: MonitorOptions) -> Health:
    """Look at all routes once. Prefect has handlers of its own while a flow runs: ours come over them."""
    environment = read_environment()
    with ENDING.heeded():
        return look(History(history_folder(environment)), options, environment, block_key)


@task(name="raise alarms", persist_result=False)
def raise_alarms(health: Health) -> None:
    """Emit an event for each alarm."""
    for alarm in health.alarms:
        name = f"{alarm.provider}/{alarm.model}"
        resource = {"prefect.resource.id": f"docmill.route.{name}", "prefect.resource.name": name}
        emit_event(event=alarm.event, resource=resource, payload={"message": alarm.message})


def command_line(about: str) -> argparse.ArgumentParser:
    """Return the parser of the monitor's command line."""
    parser = Parser(prog="python -m flows.monitor", description=about, epilog=ABOUT, allow_abbrev=False)
    add = parser.add_argument
    add("--provider", help="only this provider's routes")
    add("--model", help="only this model's routes")
    add("--routes", action="append", default=[], metavar="P/M", help="only this route; repeatable")
    add("--kind", choices=("chat", "code", "embedding"), help="only models of this kind")
    add("--sizes", type=_sizes, metavar="N,…", help="characters of the prompts, as 2k,4k,8k,16k,32k (one small prompt)")
    add("--price", metavar="IN/OUT", help="USD per million tokens, where the price isn't known")
    add("--probe-budget", type=float, default=0.0, metavar="USD", help="most that probes may cost a day (%(default)s)")
    add("--alarm-price", type=float, default=10.0, metavar="PERCENT", help="a rise beyond alarms (%(default)s)")
    add("--every", type=seconds_in, metavar="TIME", help="look again and again: 90s, 5m, 1h (once)")
    add("--serve", action="store_true", help="show live pages of routes and jobs on this machine, until Ctrl-C")
    add("--port", type=int, default=0, metavar="N", help="of the live pages (any that is free)")
    add("--output", type=named_place, default="output/monitor", metavar="DIR", help="of the dashboard (%(default)s)")
    add("--json", action="store_true", help="what was found as one JSON object a look, on stdout")
    add("--no-progress", action="store_true", help="no table, only alarms")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    """Read sizes as `2k,4k,300`."""
    found = [re.fullmatch(r"(\d+)(k?)", part.strip().lower()) for part in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} are no sizes: give them as in 2k,8k,32k")
    return tuple(sorted({int(one[1]) * (1000 if one[2] else 1) for one in found if one}))


def main(about: str, run_flow: RunFlow, argv: Sequence[str] | None = None) -> int:
    """Look at all routes from the command line; return the exit code."""

    def run(console: Console) -> int:
        words = vars(command_line(about).parse_args(argv))
        with ENDING.heeded():
            return _run(words, run_flow, console)

    return settled(run)


def _run(words: dict[str, Any], run_flow: RunFlow, console: Console) -> int:
    every, as_json, quiet = words.pop("every"), words.pop("json"), words.pop("no_progress")
    serve, port = words.pop("serve"), words.pop("port")
    options = checked_options({name: value for name, value in words.items() if value is not None}, MonitorOptions)
    with contextlib.ExitStack() as stack:
        if serve:
            url = stack.enter_context(LivePageServer(_site(), port).serving())
            console.print(f"live pages at {url} until Ctrl-C", soft_wrap=True)
        server = stack.enter_context(prefect_server())
        console.print(WAITING_FOR[server.port is not None], style="dim", soft_wrap=True)
        stack.enter_context(server.ready())
        code = _look_again(options, every, run_flow, lambda health: _told(health, console, as_json, quiet))
        if serve:
            ENDING.asked.wait()
    return code if ENDING.number is None else 128 + ENDING.number


def _site() -> JobSite:
    """Return the live pages: all routes, as the history tells at that moment, and the jobs of this machine."""
    folder = history_folder(read_environment())

    def overview(lines: list[JobLine]) -> str:
        return health_page(health_of(History(folder), datetime.now(UTC)), live=True, jobs=lines)

    return JobSite(lambda: (one.place for one in registered(folder)), overview)


def _look_again(options: MonitorOptions, every: float | None, run_flow: RunFlow, tell: Callable[[Health], int]) -> int:
    """Look, and again after each `every` seconds from one beginning to the next."""
    while True:
        began = time.monotonic()
        code = tell(run_flow(options))
        if every is None or ENDING.asked.wait(max(0.0, every - (time.monotonic() - began))):
            return code


def _told(health: Health, console: Console, as_json: bool, quiet: bool) -> int:  # noqa: FBT001 - two switches
    if as_json:
        with contextlib.suppress(BrokenPipeError):  # whoever read our output has seen enough
            json.dump(dataclasses.asdict(health), sys.stdout, ensure_ascii=False, default=_text)
            sys.stdout.write("\n")
            sys.stdout.flush()
    if not quiet:
        show_health(health, console)
    for alarm in health.alarms:
        said(console, alarm.message, ALARMED)
    return ALARMED if health.alarms else 0


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
