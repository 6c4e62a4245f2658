"""The flags that the flows share, and the options that they stand for."""

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from tasks.base.errors import UserMistake
from tasks.prompting.options import PATIENCE_SECONDS, Options, StrategyName
from tasks.results.location import named_place

# Flags that are called otherwise than their options.
SPELT = {"json_schema": "schema", "prices": "price"}

Add = Callable[..., Any]
Kind = TypeVar("Kind", bound=BaseModel)


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are ours: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """One line that names the flag and the fix, and exit code 2."""
        raise UserMistake(f"{message} (python -m flows.{self.prog.rsplit('.', 1)[-1]} --help lists them all)")


def command_line(name: str, about: str, kind: type[Options] = Options) -> argparse.ArgumentParser:
    """Return the parser of a flow's command line."""
    parser = Parser(prog=f"python -m flows.{name}", description=about, allow_abbrev=False)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="file, folder, glob, table, or a URL of one")
    add = parser.add_argument
    output = kind.model_fields["output"].default
    add(
        "--output",
        type=named_place,
        default=output,
        metavar="PLACE",
        help="the result set: a folder, or a URL as s3://bucket/folder (%(default)s)",
    )
    add(
        "--state",
        metavar="PLACE",
        help="where the ledger lies: a folder, or a postgresql:// URL (beside the results)",
    )
    _add_routes(add)
    for group in kind.flag_groups:
        GROUPS[group](add, kind)
    _add_limits(add)
    _add_workers(add)
    _add_documents(add)
    add("--plan", action="store_true", help="print the plan, call nobody")
    add("--json", action="store_true", help="the summary (or plan) as one JSON object on stdout")
    add("--no-progress", action="store_true", help="no live display")
    return parser


def _add_routes(add: Add) -> None:
    add("--model", help="a catalogue name or the provider's own id")
    add("--provider", help="a provider, apipie@PROVIDER, or auto (all with a key)")
    add("--routing", choices=("price", "perf", "perf-avg"), default="price", help="how auto chooses (%(default)s)")
    add("--max-price", metavar="IN/OUT", help="auto takes no dearer route (USD per million tokens)")
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="P[/M]",
        help="a provider or model auto leaves out; repeatable",
    )
    add("--min-context", type=int, metavar="N", help="auto takes no route with a smaller window")
    add("--pool", action="store_true", help="use all routes that fit at once")
    add("--fallback", action="append", default=[], metavar="P/M", help="next route when one fails; repeatable")
    add("--context", type=int, metavar="N", help="the window in tokens, where nobody tells it")


def add_completions(add: Add, kind: type[Options]) -> None:
    """Add the flags of flows that are answered in text."""
    add("--subtype", choices=("chat", "code", "language"), default="chat", help="of the model that auto takes (chat)")
    add("--integrity", type=int, choices=(12, 13), help="apipie asks the model 2 or 3 times, and votes")
    strategy = kind.model_fields["strategy"].default
    add("--strategy", choices=get_args(StrategyName), default=strategy, help="(%(default)s)")
    add("--prompt", type=Path, metavar="FILE", help="a prompt template with {text} in it")
    most = kind.model_fields["max_output_tokens"].default
    add("--max-output-tokens", type=int, default=most, metavar="N", help="per call (%(default)s)")


def add_extraction(add: Add, _: type[Options]) -> None:
    """Add the flags of typed answers."""
    add(
        "--schema",
        dest="json_schema",
        metavar="SCHEMA",
        help="a JSON Schema file, or a pydantic model as package.module:Model",
    )
    add("--merge", choices=("first", "list", "vote", "reduce"), default="list", help="of a document's chunks (list)")


def _add_classification(add: Add, _: type[Options]) -> None:
    add("--labels", metavar="A,B,C", help="the labels, or a file with a `label: description` a line")
    add("--several", action="store_true", help="a document may have several labels, or none")


def _add_transformation(add: Add, _: type[Options]) -> None:
    add("--to", metavar="LANGUAGE", help="translate into it; for anything else give --prompt")


def _add_embedding(add: Add, _: type[Options]) -> None:
    add("--chunk-tokens", type=int, default=512, metavar="N", help="most tokens of a chunk (%(default)s)")
    add("--overlap", type=int, default=0, metavar="N", help="tokens a chunk repeats of the one before (%(default)s)")
    add("--inputs-per-request", type=int, metavar="N", help="texts a request (the provider's limit)")
    add("--dimensions", type=int, metavar="N", help="of the vectors, where the model allows a choice")


GROUPS: Mapping[str, Callable[[Add, type[Options]], None]] = {
    "completions": add_completions,
    "extraction": add_extraction,
    "classification": _add_classification,
    "transformation": _add_transformation,
    "embedding": _add_embedding,
}


def _add_limits(add: Add) -> None:
    add("--budget", type=float, metavar="USD", help="never spend more: pause, resumably")
    add("--price", metavar="IN/OUT", help="USD per million tokens, where the price isn't known")
    add("--rpm", type=int, metavar="N", help="requests a minute")
    add("--tpm", type=int, metavar="N", help="tokens a minute")
    add("--concurrency", type=int, metavar="N", help="calls in flight")
    add(
        "--patience",
        type=seconds_in,
        default=PATIENCE_SECONDS,
        metavar="TIME",
        help="to wait for routes that are down: 90s, 30m, 2h (30m)",
    )
    add("--hedge", action="store_true", help="ask the slowest few per cent a second time, and pay for both")
    add_others(add)


def add_others(add: Add) -> None:
    """Add the flags on what others do, and see."""
    add(
        "--share-limits",
        metavar="PLACE",
        help="with the account's other jobs: here (on this machine), a folder, or a postgresql:// URL",
    )
    add(
        "--wait",
        type=seconds_in,
        default=0.0,
        metavar="TIME",
        help="to wait for a result set that another run holds: 90s, 30m, 2h (leave at once)",
    )
    add("--log", metavar="FILE", help="add all events to a file, as JSON lines; - for stderr")


def _add_workers(add: Add) -> None:
    add(
        "--runner",
        choices=("threads", "processes", "dask", "ray"),
        default="threads",
        help="who works: threads of this process, or worker processes here, of Dask or of Ray (%(default)s)",
    )
    add("--runner-address", metavar="ADDRESS", help="the Dask scheduler or Ray cluster (one is started here)")
    add("--workers", type=int, metavar="N", help="worker processes (one a processor, or a worker of the cluster)")


def _add_documents(add: Add) -> None:
    add("--limit", type=int, metavar="N", help="the first N documents")
    add("--text-column", metavar="NAME", help="column of a table that holds the text")
    add("--id-column", metavar="NAME", help="column of a table that holds the document's id")
    add("--join", action="store_true", help="the table's other columns stand beside the answer")
    add("--prune", action="store_true", help="drop the documents that have gone from the inputs")
    add("--retry-failed", action="store_true", help="only what failed before")
    add("--fresh", action="store_true", help="ignore answers and results of earlier runs")


def seconds_in(text: str) -> float:
    """Read a time: a number of seconds, or one with s, m or h."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smh]?)", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: give it as in 90s, 30m or 2h")
    return float(match[1]) * {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]


def checked_options(words: dict[str, Any], kind: type[Kind]) -> Kind:
    """Return the options that flags stand for. Raises UserMistake naming the flag."""
    try:
        return kind(**words)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        flag = "--" + SPELT.get(name, name.replace("_", "-"))
        raise UserMistake(f"{flag} {first['input']}: {first['msg'].lower()}") from None
