"""The monitor's command line, its Prefect tasks and its alarms as events."""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from types import FrameType

from prefect import task
from prefect.events import emit_event
from rich.console import Console

from tasks.base.option import options_of
from tasks.base.settings import Settings
from tasks.command import WAITING_FOR, prefect_server, said, settled
from tasks.monitoring.event_history import History
from tasks.monitoring.health_records import Health
from tasks.monitoring.look import look
from tasks.monitoring.monitor_options import MonitorOptions, MonitorSwitches
from tasks.monitoring.statistics import health_of
from tasks.pages.health_page import health_page
from tasks.pages.live import LivePageServer
from tasks.pages.site import JobLine, JobSite
from tasks.planning.job_register import history_folder, registered
from tasks.prefect_server import block_key
from tasks.running.signals import SIGNALS
from tasks.terminal.flags import CommandLine
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
        """Make SIGINT and SIGTERM end the monitor once the answers of a look have arrived; on the main thread only."""
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
    settings = Settings.read(block_key)
    with ENDING.heeded():
        return look(History(history_folder(settings)), options, settings)


@task(name="raise alarms", persist_result=False)
def raise_alarms(health: Health) -> None:
    """Emit an event for each alarm."""
    for alarm in health.alarms:
        name = f"{alarm.provider}/{alarm.model}"
        resource = {"prefect.resource.id": f"docmill.route.{name}", "prefect.resource.name": name}
        emit_event(event=alarm.event, resource=resource, payload={"message": alarm.message})


def command_line(about: str) -> CommandLine:
    """Return the monitor's command line."""
    options = (*options_of(MonitorOptions), *options_of(MonitorSwitches))
    return CommandLine("monitor", f"{about}\n{ABOUT}", options, takes_inputs=False)


def main(about: str, run_flow: RunFlow, words: Sequence[str] | None = None) -> int:
    """Look at all routes from the command line; return the exit code."""

    def run(console: Console) -> int:
        given = command_line(about).parse(words)
        with ENDING.heeded():
            return _run(given.of(MonitorOptions), given.of(MonitorSwitches), run_flow, console)

    return settled(run)


def _run(options: MonitorOptions, switches: MonitorSwitches, run_flow: RunFlow, console: Console) -> int:
    with contextlib.ExitStack() as stack:
        if switches.serve:
            url = stack.enter_context(LivePageServer(_site(), switches.port).serving())
            console.print(f"live pages at {url} until Ctrl-C", soft_wrap=True)
        server = stack.enter_context(prefect_server())
        console.print(WAITING_FOR[server.port is not None], style="dim", soft_wrap=True)
        stack.enter_context(server.ready())
        code = _look_again(options, switches.every, run_flow, lambda health: _told(health, console, switches))
        if switches.serve:
            ENDING.asked.wait()
    return code if ENDING.number is None else 128 + ENDING.number


def _site() -> JobSite:
    """Return the live pages: all routes, as the history tells at that moment, and the jobs of this machine."""
    folder = history_folder(Settings.read())

    def overview(lines: list[JobLine]) -> str:
        return health_page(health_of(History(folder), datetime.now(UTC)), live=True, jobs=lines)

    return JobSite(lambda: (one.location for one in registered(folder)), overview)


def _look_again(options: MonitorOptions, every: float | None, run_flow: RunFlow, tell: Callable[[Health], int]) -> int:
    """Look once, or again every `every` seconds, measured from start to start; return the last exit code."""
    while True:
        began = time.monotonic()
        code = tell(run_flow(options))
        if every is None or ENDING.asked.wait(max(0.0, every - (time.monotonic() - began))):
            return code


def _told(health: Health, console: Console, switches: MonitorSwitches) -> int:
    if switches.as_json:
        with contextlib.suppress(BrokenPipeError):  # whoever read our output has seen enough
            json.dump(dataclasses.asdict(health), sys.stdout, ensure_ascii=False, default=_text)
            sys.stdout.write("\n")
            sys.stdout.flush()
    if not switches.no_progress:
        show_health(health, console)
    for alarm in health.alarms:
        said(console, alarm.message, ALARMED)
    return ALARMED if health.alarms else 0


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
