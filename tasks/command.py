"""Run a flow from the command line: displays, messages and the exit code."""

import contextlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from rich.console import Console

from tasks.base.errors import DocmillError, JobPaused, RouteUnavailable, StorageRefused, UserMistake
from tasks.base.settings import Settings
from tasks.calls.progress import Meter
from tasks.embeddings.embed_plan import make_embed_plan
from tasks.events.log import STDERR
from tasks.planning.plan import Plan, make_plan
from tasks.planning.prepare import prepare
from tasks.planning.state_location import elsewhere
from tasks.prompting.options import FLOWS
from tasks.results.result_set import ResultSet
from tasks.running.garbage import calm_collector
from tasks.running.handoff import offer
from tasks.running.opening import open_job
from tasks.terminal.display import show_plan, show_summary, shown
from tasks.terminal.flags import Given, Switches, command_line

WAITING_FOR = {
    True: "starting Prefect's temporary server (`prefect server start` beside it is quicker, and has the UI) …",
    False: "using your Prefect server …",
}
DEFECT, MISTAKE, PAUSED = 1, 2, 4
INTERRUPTED = frozenset({130, 143})
RunFlow = Callable[[list[str], Any], ResultSet]


def main(name: str, about: str, run_flow: RunFlow, words: Sequence[str] | None = None) -> int:
    """Run a flow from the command line; return the exit code of the contract."""

    def run(console: Console) -> int:
        return _run(name, command_line(name, about).parse(words), run_flow, console)

    return settled(run)


def leave(code: int) -> NoReturn:
    """End the process; after a signal at once, as Python would wait for threads that aren't needed any more.

    The processes that it started end with it.
    """
    if code not in INTERRUPTED:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody listens, or it is closed
            stream.flush()
    os._exit(code)


def settled(run: Callable[[Console], int]) -> int:
    """Run a command and return its exit code; report any error in one line."""
    quiet_prefect()
    console = Console(stderr=True)
    try:
        return run(console)
    except KeyboardInterrupt:
        return said(console, "interrupted before the first call: nothing was asked, nothing is lost", 130)
    except (UserMistake, StorageRefused) as error:
        return said(console, str(error), MISTAKE)
    except (JobPaused, RouteUnavailable) as error:
        return said(console, str(error), PAUSED)
    except DocmillError as error:
        return said(console, str(error), DEFECT)
    except Exception:  # noqa: BLE001 - the last word on a defect, with all there is to mend it
        traceback.print_exc()
        return said(console, "this is a defect in docmill; what was paid is kept: try the same command again", DEFECT)


def _run(name: str, given: Given, run_flow: RunFlow, console: Console) -> int:
    inputs, options, switches = given.inputs, given.of(FLOWS[name]), given.of(Switches)
    with contextlib.ExitStack() as stack:
        stack.enter_context(calm_collector())
        server = None
        if not switches.plan:
            server = stack.enter_context(prefect_server())
        prepared = prepare(name, inputs, options, Settings.read(block_key_of))
        make = make_embed_plan if options.embedding else make_plan
        plan = make(prepared, quick=not switches.plan)
        place = elsewhere(options, prepared.state)
        show_plan(plan, console, place)
        if server is None:
            return printed(plan.as_json(), as_json=switches.as_json)
        meter = _expecting(plan)
        console.print(WAITING_FOR[server.port is not None], style="dim", soft_wrap=True)
        with (
            shown(meter, console, live=not switches.no_progress and options.log != STDERR),
            open_job(prepared, meter) as job,
        ):
            job.look_ahead()
            stack.enter_context(server.ready())
            offer(job)
            with contextlib.redirect_stdout(sys.stderr):  # some libraries print what happens to them
                results = run_flow(inputs, options)
    record, code = results.job, results.exit_code
    show_summary(record, meter, str(options.folder.path or options.output), console, place, results.page)
    if record.reason:
        said(console, record.reason, code)
    printed(record.as_json(), as_json=switches.as_json)
    return code


def _expecting(plan: Plan) -> Meter:
    return Meter(expected_documents=plan.documents, expected_calls=plan.calls, planned=plan.as_json())


def printed(value: dict[str, Any], *, as_json: bool) -> int:
    """Print the one JSON object on stdout if `as_json`; return the exit code 0."""
    if as_json:
        with contextlib.suppress(BrokenPipeError):  # whoever read our output has seen enough
            json.dump(value, sys.stdout, ensure_ascii=False)
            sys.stdout.write("\n")
            sys.stdout.flush()
    return 0


def said(console: Console, message: str, code: int) -> int:
    """Print a message in one line, whatever the width of the terminal; return `code`."""
    console.print(f"docmill: {' '.join(message.split())}", markup=False, highlight=False, soft_wrap=True)
    return code


def quiet_prefect() -> None:
    """Silence Prefect's log on the console: its lines go to its server, and our display shows the rest."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("prefect")]
    for logger in [logging.root, *map(logging.getLogger, names)]:
        for handler in logger.handlers:
            if type(handler).__name__ == "PrefectConsoleHandler":
                handler.setLevel(logging.CRITICAL)


@contextlib.contextmanager
def prefect_server() -> Iterator[Any]:
    """Start Prefect's server for the block, where none is set up."""
    from tasks.prefect_server import starting_server  # noqa: PLC0415 - --plan and mistakes need no server

    with starting_server() as server:
        yield server


def block_key_of(provider: str) -> str | None:
    """Return a provider's key in a Prefect block."""
    from tasks.prefect_server import block_key  # noqa: PLC0415 - as above

    return block_key(provider)
