"""The catalogue on a terminal, or as JSON for machines."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from prefect.artifacts import create_table_artifact
from pydantic import BaseModel, BeforeValidator, Field
from rich.console import Console
from rich.table import Table

from tasks.base.errors import RouteDown, UserMistake
from tasks.base.option import Flag, options_of
from tasks.base.settings import Settings
from tasks.command import MISTAKE, PAUSED, said
from tasks.models.candidates import LOCAL
from tasks.models.catalogue import Catalogue, Model, Served, load_catalogue
from tasks.planning.accounts import VARIABLE, available, catalogue_folder, live_catalogue
from tasks.planning.refresh import Refreshed, refresh
from tasks.prompting.options import ROUTES
from tasks.terminal.flags import COMMAND, CommandLine

COLUMNS = (
    "model", "provider", "subtype", "context", "max_answer", "input_price", "output_price", "price_checked",
    "tokenizer", "template",
)  # fmt: skip
WIDTH = 160
MOST_CHANGES = 40


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class CatalogueFilters(BaseModel):
    """Which routes are printed, and how."""

    provider: Annotated[str | None, Flag(ROUTES)] = Field(default=None, description="only this provider")
    model: Annotated[str | None, Flag(ROUTES)] = Field(default=None, description="only models whose name holds this")
    subtype: Annotated[
        Literal["chat", "code", "embedding", "language"] | None, BeforeValidator(_lower), Flag(ROUTES, is_text=True)
    ] = Field(default=None, description="only this subtype: chat, code, embedding or language")
    refresh: Annotated[bool, Flag(COMMAND)] = Field(
        default=False, description="read the lists of all providers with a key, and keep them"
    )
    as_json: Annotated[bool, Flag(COMMAND, name="json")] = Field(default=False, description="a JSON array on stdout")


def main(about: str, words: Sequence[str] | None = None) -> int:
    """Print the routes that match the filters; return the exit code."""
    console = Console(stderr=True)
    try:
        filters = command_line(about).parse(words).of(CatalogueFilters)
        if filters.refresh:
            return _refresh(filters, console)
        rows = list(_rows(live_catalogue(Settings.read()), filters))
    except UserMistake as error:
        return said(console, str(error), MISTAKE)
    if filters.as_json:
        json.dump(rows, sys.stdout, indent=1, default=str)
        sys.stdout.write("\n")
    else:
        _print(rows)
    return 0


def read_lists(provider: str | None = None) -> list[Refreshed]:
    """Read the lists of one provider, or of all with a key, and keep them; return what changed in each.

    Raises UserMistake if there is no list to read, or they can't be kept.
    """
    settings, catalogue = Settings.read(block_key), load_catalogue()
    names = [catalogue.provider(provider).name] if provider else []
    names = names or available(catalogue, settings)
    if names == [LOCAL]:
        raise UserMistake("local has no list to refresh: it serves one model, named by DOCMILL_LOCAL_MODEL")
    if not names:
        raise UserMistake("no provider has a key: set OPENROUTER_API_KEY or another's, whose list is to be read")
    folder = catalogue_folder(settings)
    try:
        return refresh(names, settings, folder)
    except OSError as error:
        raise UserMistake(
            f"{folder} can't be written: {error.strerror}: mend it, or name another in {VARIABLE}"
        ) from error


def report(lists: Sequence[Refreshed]) -> None:
    """Show what changed in Prefect's UI. Raises RouteDown where no list could be read."""
    rows = [
        {"provider": one.provider, "change": change.kind, "model": change.model, "before": change.before,
         "now": change.after}
        for one in lists
        for change in one.changes
    ]  # fmt: skip
    create_table_artifact(rows, key="docmill-catalogue", description="What changed in the providers' lists")
    troubles = [f"{one.provider}: {one.trouble}" for one in lists if one.trouble is not None]
    if len(troubles) == len(lists):
        raise RouteDown("no list could be read: " + "; ".join(troubles))


def _refresh(filters: CatalogueFilters, console: Console) -> int:
    """Read the providers' lists, and say what changed; return the exit code: 4 where no list could be read."""
    lists = read_lists(filters.provider)
    if filters.as_json:
        json.dump([asdict(one) for one in lists], sys.stdout, indent=1, default=str)
        sys.stdout.write("\n")
    for one in () if filters.as_json else lists:
        _show_list(one, console)
    return 0 if any(one.trouble is None for one in lists) else PAUSED


def _show_list(one: Refreshed, console: Console) -> None:
    title = f"{one.provider}: {one.trouble or f'{one.models:,} models, {len(one.changes):,} changes'}"
    rows = [
        f"{change.kind}: {change.model} {change.before}{' -> ' if change.before and change.after else ''}{change.after}"
        for change in one.changes[:MOST_CHANGES]
    ]
    rows += [f"kept as set by hand: {model} (the list says {words})" for model, words in one.kept]
    rows += [f"and {len(one.changes) - MOST_CHANGES:,} more"] if len(one.changes) > MOST_CHANGES else []
    for line in (title, *(f"  {row}" for row in rows)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def command_line(about: str) -> CommandLine:
    """Return the catalogue's command line."""
    return CommandLine("catalogue", about, tuple(options_of(CatalogueFilters)), takes_inputs=False)


def block_key(provider: str) -> str | None:
    """Return the key in a Prefect block, where Prefect is at hand."""
    from tasks.prefect_server import block_key as ask  # noqa: PLC0415 - importing Prefect takes seconds

    return ask(provider)


def _rows(catalogue: Catalogue, filters: CatalogueFilters) -> list[dict[str, Any]]:
    """Return the routes that match; raises UserMistake where a filter names nothing."""
    provider = catalogue.provider(filters.provider).name if filters.provider else None
    rows = [
        _row(model, served)
        for model, served in catalogue.routes()
        if provider in (None, served.provider)
        and filters.subtype in (None, model.subtype.lower())
        and (filters.model or "").lower() in " ".join((model.name, *model.aliases)).lower()
    ]
    if filters.model and not any(filters.model.lower() in model.name.lower() for model in catalogue.models):
        raise UserMistake(f"no model's name holds {filters.model!r}: python -m flows.catalogue lists them all")
    return rows


def _row(model: Model, served: Served) -> dict[str, Any]:
    """One route; what isn't known is None."""
    return {
        "series": model.series,
        "model": model.name,
        "aliases": list(model.aliases),
        "subtype": model.subtype,
        "tokenizer": model.tokenizer,
        "template": model.template,
        **served.model_dump(mode="json"),
    }


def _print(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(*(column.replace("_", " ") for column in COLUMNS), box=None, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in COLUMNS))
    console = Console()
    # Wide enough for every column where it goes to a file or a pipe.
    console = console if console.is_terminal else Console(width=WIDTH)
    console.print(table)
    console.print(f"{len(rows)} routes; prices in USD per million tokens; ? is not known")


def _cell(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:,}" if isinstance(value, int) else str(value)
