"""Result sets as jobs leave them, for the tests of those who read them, and what is known of each."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.dispatch import transport as client
from tasks.jobs.job import Job
from tasks.prompting.options import EmbedOptions, ExtractOptions, Options
from tasks.results.schemas import Schemas
from tasks.running import opening
from tests.conftest import KEY, authorities, whole_job
from tests.jobs.invoices import FIELDS, invoice, number_in, schema_file, text_of
from tests.jobs.texts import prose, put
from tests.simulator import Settings, serving

POISON = "POISON in here"
# The number of the invoice that is never answered in JSON.
HOPELESS = 13
SCANNED = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - a scanner knows no zone
LINE = {"type": "object", "properties": {"item": {"type": "string"}, "amount": {"type": ["number", "null"]}}}
MORE: dict[str, Any] = {
    "lines": {"type": "array", "items": LINE},
    "due_on": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
    "notes": {"type": ["array", "null"], "items": {"type": "string"}},
    "terms": {"type": ["object", "null"], "properties": {"days": {"type": "integer"}}},
    "free": {"type": "object"},
}
SCHEMA = {"type": "object", "properties": {**FIELDS, **MORE}, "required": list(FIELDS)}


@dataclass(frozen=True)
class Made:
    """A result set, the schemas of its tables, the texts of its documents, and which of them failed."""

    path: Path
    schemas: Schemas
    texts: Mapping[str, str]
    failed: frozenset[str]


@contextmanager
def provided(folder: Path) -> Iterator[None]:
    """Serve the provider of the environment for a whole module, as fixtures do for a test."""
    with pytest.MonkeyPatch.context() as patch, serving(Settings(context=8192)) as simulator:
        patch.setenv("OPENAI_BASE_URL", simulator.url)
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setenv("DOCMILL_CATALOGUE", str(folder / "no-lists"))
        patch.chdir(folder)
        patch.setattr(client, "_authorities", lambda: authorities(None))
        patch.setattr(opening, "calm_collector", nullcontext)
        simulator.settings.poison, simulator.settings.write = {POISON: "http_500"}, _answered
        yield


def summarized(root: Path) -> Made:
    """Short, long, empty and poisonous documents; a second run finds one changed and one more."""
    texts = {"ä/日本.txt": prose(600), "long.md": f"# The river\n\n{prose(40_000)}", "bad.txt": POISON, "empty.txt": ""}
    _summarize(root, texts)
    return _summarize(root, texts | {"ä/日本.txt": prose(700), "late.txt": prose(500)}, "bad.txt", "empty.txt")


def spotless(root: Path) -> Made:
    """One document, and nothing that failed."""
    return _summarize(root, {"a.txt": prose(500)})


def embedded(root: Path) -> Made:
    """Texts of several chunks, and one that is refused; a second run finds one changed and one more."""
    texts = {f"{number}.txt": prose(2000, number) for number in range(4)} | {"bad.txt": POISON}
    _embed(root, texts)
    return _embed(root, texts | {"1.txt": prose(1500, "new"), "late.txt": prose(300, "late")}, "bad.txt")


def extracted(root: Path) -> Made:
    """Invoices of a partitioned table with its columns beside them; a second run finds more of them."""
    words = {"json_schema": schema_file(root, SCHEMA), "text_column": "body", "id_column": "id", "join": True}
    options = ExtractOptions(**_common(root), **words, price="0.1/0.4")
    numbers = [*range(6), *range(HOPELESS - 1, HOPELESS + 2)]
    _write_invoices(root / "invoices/year=2025/part-0.parquet", numbers[:6])
    _write_invoices(root / "invoices/year=2026/part-0.parquet", numbers[6:])
    _made("extract", root / "invoices", options, {}, ())
    _write_invoices(root / "invoices/year=2026/part-1.parquet", range(20, 24))
    texts = {f"{number:02d}": text_of(number) for number in (*numbers, *range(20, 24))}
    return _made("extract", root / "invoices", options, texts, [str(HOPELESS)])


def fields(number: int) -> dict[str, Any]:
    """Return what the model finds in an invoice."""
    return invoice(number) | {
        "lines": [{"item": f"Item {one}", "amount": None if one else number / 4} for one in range(number % 3)],
        "due_on": None if number % 3 else "2026-02-28",
        "notes": None if number % 2 else ["paid", "by hand"][: number % 4],
        "terms": None if number % 5 else {"days": 30},
        "free": {"of": {"any": [number]}},
    }


MAKERS: Mapping[str, Callable[[Path], Made]] = {
    "summarized": summarized,
    "extracted": extracted,
    "embedded": embedded,
    "spotless": spotless,
}


def _answered(body: dict[str, Any]) -> str:
    if "Invoice no." not in (text := body["messages"][0]["content"]):
        return f"An answer to {len(text)} characters: ü, 日本, 🛶."
    number = number_in(body)
    return "No idea." if number == HOPELESS else json.dumps(fields(number))


def _write_invoices(path: Path, numbers: Sequence[int]) -> None:
    columns = {
        "id": [f"{number:02d}" for number in numbers],
        "body": [text_of(number) for number in numbers],
        "title": pa.array([f"Title {number % 2}" for number in numbers]).dictionary_encode(),
        "price": pa.array([number / 4 if number else None for number in numbers], pa.float32()),
        "scanned": pa.array([SCANNED for _ in numbers], pa.timestamp("ns")),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def _summarize(root: Path, texts: Mapping[str, str], *failed: str) -> Made:
    return _made("summarize", _folder(root, texts), Options(**_common(root)), texts, failed)


def _embed(root: Path, texts: Mapping[str, str], *failed: str) -> Made:
    return _made("embed", _folder(root, texts), EmbedOptions(**_common(root), chunk_tokens=200), texts, failed)


def _folder(root: Path, texts: Mapping[str, str]) -> Path:
    for name, text in texts.items():
        put(root / "texts", name, text)
    return root / "texts"


def _common(root: Path) -> dict[str, Any]:
    return {"output": str(root / "out"), "provider": "openai-compatible", "model": "sim-model", "patience": 0.0}


def _made(flow: str, source: Path, options: Options, texts: Mapping[str, str], failed: Sequence[str]) -> Made:
    schemas: dict[str, pa.Schema] = {}

    def keep(job: Job) -> None:
        schemas.update(job.schemas)

    ran = whole_job(flow, [source], options, finished=keep)
    assert ran.record.status == "done", ran.record.reason
    return Made(ran.output, schemas, texts, frozenset(failed))
