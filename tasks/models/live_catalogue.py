"""Update the shipped catalogue from the providers' own lists of models.

A folder holds a snapshot for each provider: the latest as PROVIDER.json, earlier ones under
`history/`. Of a shipped price and a listed one, the newer is used; a listed window or
availability always replaces the shipped one; a pinned row is never changed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tasks.models.catalogue import Catalogue, Model, Served
from tasks.models.model_lists import Listed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One provider's list at one time; `base_url` is where it was read."""

    provider: str
    at: datetime
    entries: tuple[Listed, ...]
    base_url: str = ""


class Change(NamedTuple):
    """What differs from one list to the next, in words."""

    provider: str
    model: str
    kind: str
    before: str
    after: str


def load_snapshots(folder: Path) -> list[Snapshot]:
    """Return the latest list of each provider; a file that can't be read counts as none."""
    found = (_read(path) for path in sorted(folder.glob("*.json")))
    return [snapshot for snapshot in found if snapshot is not None]


def save_snapshot(folder: Path, snapshot: Snapshot) -> None:
    """Keep a list as the latest, and the one before it as history. Raises OSError."""
    latest = folder / f"{snapshot.provider}.json"
    folder.mkdir(parents=True, exist_ok=True)
    beside = latest.with_suffix(".new")
    value = {
        "at": snapshot.at.isoformat(),
        "place": snapshot.base_url,
        "models": [entry._asdict() for entry in snapshot.entries],
    }
    beside.write_text(json.dumps(value, indent=1), encoding="utf-8")
    before = _read(latest)
    if before is not None:
        kept = folder / "history" / snapshot.provider / f"{before.at:%Y%m%dT%H%M%S}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(latest.read_bytes())
    beside.replace(latest)


def _read(path: Path) -> Snapshot | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        entries = tuple(_entry(record) for record in value["models"])
        at = datetime.fromisoformat(value["at"])
        return Snapshot(path.stem, at if at.tzinfo else at.replace(tzinfo=UTC), entries, str(value.get("place", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _entry(record: Mapping[str, Any]) -> Listed:
    return Listed(**{**record, "latency": tuple(record.get("latency") or ())})


def changes(before: Snapshot | None, after: Snapshot) -> Iterator[Change]:
    """Yield what is new, gone, dearer, cheaper, or has another window or availability."""
    old = {entry.key: entry for entry in before.entries} if before else {}
    new = {entry.key: entry for entry in after.entries}
    for key, entry in new.items():
        if before and key not in old:
            yield Change(after.provider, _name(entry), "new", "", _price(entry))
        elif key in old:
            yield from _differences(after.provider, old[key], entry)
    for key, entry in old.items():
        if key not in new:
            yield Change(after.provider, _name(entry), "gone", _price(entry), "")


def _differences(provider: str, old: Listed, new: Listed) -> Iterator[Change]:
    name = _name(new)
    prices = [entry.input_price is not None and entry.output_price is not None for entry in (old, new)]
    if all(prices) and (old.input_price, old.output_price) != (new.input_price, new.output_price):
        sums = [(entry.input_price or 0) + (entry.output_price or 0) for entry in (old, new)]
        yield Change(provider, name, "dearer" if sums[1] > sums[0] else "cheaper", _price(old), _price(new))
    elif prices[0] != prices[1]:
        yield Change(provider, name, "price told" if prices[1] else "price no longer told", _price(old), _price(new))
    if old.context and new.context and old.context != new.context:
        kind = "smaller window" if new.context < old.context else "larger window"
        yield Change(provider, name, kind, f"{old.context:,}", f"{new.context:,}")
    if old.available is not None and new.available is not None and old.available != new.available:
        yield Change(provider, name, "available again" if new.available else "not available", "", "")


def _name(entry: Listed) -> str:
    return f"{entry.id} at {entry.upstream}" if entry.upstream else entry.id


def _price(entry: Listed) -> str:
    known = entry.input_price is not None and entry.output_price is not None
    return f"{entry.input_price:g}/{entry.output_price:g}" if known else "price not known"


def with_live(catalogue: Catalogue, snapshots: Iterable[Snapshot]) -> Catalogue:
    """Return the catalogue with its rows updated from the lists, and with the lists' own entries in `told`."""
    taken = list(snapshots)
    models = tuple(_updated(model, taken) for model in catalogue.models)
    told: dict[tuple[str, str | None, str], Served] = {}
    for one in taken:
        for entry in one.entries:
            row = Served(provider=entry.upstream or one.provider)
            told[one.provider, entry.upstream, entry.id.lower()] = _served(row, entry, one)
    return replace(catalogue, models=models, told=told)


def pinned_rows(catalogue: Catalogue, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield (model, what differs) of rows set by hand that a list would change."""
    listed = {entry.key: entry for entry in snapshot.entries}
    for model, row in catalogue.routes():
        entry = listed.get((None, (row.id or model.name).lower())) if row.provider == snapshot.provider else None
        if row.pinned and entry is not None:
            changed = _served(row.model_copy(update={"pinned": False}), entry, snapshot)
            if (changed.context, changed.price) != (row.context, row.price):
                yield model.name, f"window {entry.context}, price {_price(entry)}"


def _updated(model: Model, snapshots: Sequence[Snapshot]) -> Model:
    by_provider = {snapshot.provider: snapshot for snapshot in snapshots if snapshot.entries}
    rows = [_row(model, row, by_provider.get(row.provider)) for row in model.routes]
    return model.model_copy(update={"routes": tuple(rows)})


def _row(model: Model, row: Served, snapshot: Snapshot | None) -> Served:
    if snapshot is None or row.pinned or not row.listed:
        return row
    wanted = (row.id or model.name).lower()
    entry = next((entry for entry in snapshot.entries if entry.key == (None, wanted)), None)
    # A list that has other models but not this one means that it is gone.
    return row.model_copy(update={"is_gone": True}) if entry is None else _served(row, entry, snapshot)


def _is_told(entry: Listed) -> bool:
    """Whether a list states a price: 0 counts only for a model that it names free, and otherwise means unknown."""
    prices = (entry.input_price, entry.output_price)
    return None not in prices and (all(prices) or entry.is_free)


def _served(row: Served, entry: Listed, snapshot: Snapshot) -> Served:
    update: dict[str, Any] = {"available": entry.available, "latency": entry.latency, "id": row.id or entry.id}
    if entry.context:
        update["context"] = entry.context
    answer = entry.max_answer or row.max_answer
    context = entry.context or row.context
    update["max_answer"] = min(answer, context) if answer and context else answer
    day = snapshot.at.date()
    newer = row.price_checked is None or row.price_checked <= day
    if newer and _is_told(entry):
        update |= {
            "input_price": entry.input_price,
            "output_price": entry.output_price,
            "price_checked": day,
            "price_source": f"{snapshot.provider}'s list of models",
        }
    return row.model_copy(update=update)
