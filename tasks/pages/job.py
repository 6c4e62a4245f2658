"""The page of a job: what `job_facts` tells, in words, tables and charts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, BinaryIO, NamedTuple

from tasks.errors import UserMistake
from tasks.pages.charts import Chart, Values, bars, chart, coloured, height_of, lines, over_time
from tasks.pages.figures import count, duration, milliseconds, moment, money, rate, short
from tasks.pages.job_facts import FAILED, LARGEST, JobFacts, SizeRow, TimeRow
from tasks.pages.page import page
from tasks.results.folder import Folder
from tasks.routing.catalogue import load_catalogue

NAME = "dashboard.html"
TONES = {"done": "good", "partial": "warn", "failed": "bad", "paused": "warn", "running": "quiet"}
STATUSES = {"done": "var(--c1)", "partial": "var(--c5)", "failed": "var(--bad)"}
DRAWN_STATUSES = tuple(STATUSES)


class LimitRow(NamedTuple):
    """The most that was used of a limit; `limit` is None where there is none that we know."""

    provider: str
    name: str
    key: str
    most: int
    limit: float | None


def job_page(folder: Folder, facts: JobFacts, *, live: bool = False, now: datetime | None = None) -> str:
    """Return a result set's page; of a job that runs, as it stands `now`."""
    return page(
        "job.html",
        live=live,
        facts=facts,
        sums=facts.sums,
        job=_job(facts, folder.place, now or datetime.now(UTC)),
        charts=list(_charts(facts)),
        limits=list(_limits(facts)),
        documents=_documents(facts),
        options=list(_options(facts.record)),
        tones=TONES,
    )


def write_job_page(folder: Folder, facts: JobFacts) -> None:
    """Write OUTPUT/dashboard.html, whole or not at all. Raises StorageFailed."""
    html = job_page(folder, facts).encode()
    folder.replace(NAME, lambda file: _write(file, html))


def place_of(folder: Folder) -> str:
    """Return the URL of a result set's page."""
    return (folder.path.absolute() / NAME).as_uri() if folder.path else f"{folder.place}/{NAME}"


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)


def _job(facts: JobFacts, place: str, now: datetime) -> dict[str, Any]:
    """Return what is said about the whole, by name."""
    record, sums = facts.record, facts.sums
    totals = record.get("totals") or {}
    plan = record.get("plan") or {}
    whole = plan if plan and not plan.get("kept_answers") and not plan.get("unchanged") else {}
    status = str(record.get("status", "unknown"))
    planned = whole.get("price_low"), whole.get("price_high")
    began = _when(record.get("started_at"))
    return {
        "flow": record.get("flow", "job"),
        "output": place,
        "status": status,
        "tone": "warn" if status == "done" and (sums.partial or sums.failed) else TONES.get(status, "quiet"),
        "reason": record.get("reason"),
        "story": _story(record, facts),
        "by_status": ", ".join(f"{count(getattr(sums, name))} {name}" for name in ("done", "partial", "failed")),
        "calls_more": _joined([f"{count(sums.reused)} reused", _planned(whole, "calls")]),
        "in_more": _planned(whole, "prompt_tokens"),
        "out_more": _planned(whole, "completion_expected"),
        "cost": "not known" if sums.unpriced and not sums.cost_usd else money(sums.cost_usd),
        "cost_more": _joined(
            [
                f"and {count(sums.unpriced)} calls of unknown price" if sums.unpriced else "",
                f"planned: {money(planned[0])} to {money(planned[1])}" if None not in planned else "",
            ]
        ),
        "failures_more": "calls and documents given up" if sums.failures else "",
        "seconds": (now - began).total_seconds() if status == "running" and began else totals.get("seconds"),
        "time_more": "since it began" if status == "running" else "of the last run",
        "of": whole.get("documents") if status == "running" else None,
        "step": duration(facts.step),
        "job_id": record.get("job_id", "unknown"),
        "version": record.get("version", ""),
    }


def _story(record: Mapping[str, Any], facts: JobFacts) -> str:
    jobs = facts.sums.jobs
    inputs = ", ".join(map(str, (record.get("spec") or {}).get("inputs", []))) or "its inputs"
    began, ended = _when(record.get("started_at")), _when(record.get("finished_at"))
    last = max((row.at for row in facts.times), default=None)
    until = f", ended {moment(ended)}" if ended else ""
    if not ended and last:
        until = f", the last answers came at {_clock(last)}"
    several = f" The result set holds documents of {count(jobs)} jobs; this is the last." if jobs > 1 else ""
    return f"{inputs}. Began {moment(began)}{until}.{several}"


def _when(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _joined(words: Sequence[str]) -> str:
    return "; ".join(filter(None, words))


def _planned(plan: Mapping[str, Any], name: str) -> str:
    return f"planned: {short(plan[name])}" if plan.get(name) is not None else ""


def _documents(facts: JobFacts) -> list[tuple[str, Sequence[Any], str]]:
    lacking = facts.sums.partial + facts.sums.failed
    some = f"{FAILED} of {count(lacking)}; all are in the table documents." if lacking > FAILED else ""
    return [
        ("Failed and partial", facts.failed, some),
        ("Largest", facts.largest, f"The {LARGEST} with the most tokens." if len(facts.largest) == LARGEST else ""),
    ]


def _options(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in (record.get("spec") or {}).items():
        if value not in (None, False, [], ()):
            yield name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _limits(facts: JobFacts) -> Iterator[LimitRow]:
    spec = facts.record.get("spec") or {}
    for load in facts.loads:
        declared = _declared(load.provider)
        yield LimitRow(
            load.provider, "requests a minute", "requests", load.requests, spec.get("rpm") or declared.get("rpm")
        )
        yield LimitRow(load.provider, "tokens a minute", "tokens", load.tokens, spec.get("tpm") or declared.get("tpm"))
        most = spec.get("concurrency") or declared.get("concurrency")
        yield LimitRow(load.provider, "calls in flight", "at_once", load.at_once, most)


def _declared(provider: str) -> Mapping[str, int | None]:
    """Return what `data/providers.toml` declares; nothing of a provider that isn't in it any more."""
    try:
        found = load_catalogue().provider(provider or "")
    except UserMistake:
        return {}
    by_second = found.requests_per_second and found.requests_per_second * 60
    return {
        "rpm": found.requests_per_minute or by_second,
        "tpm": found.tokens_per_minute,
        "concurrency": found.concurrency,
    }


def _charts(facts: JobFacts) -> Iterator[Chart]:
    if facts.ends:
        yield _progress(facts)
    if facts.times:
        yield _calls(facts)
        yield _tokens(facts)
        if facts.sums.cost_usd:
            yield _spent(facts)
        yield _latency(facts.sizes)


def _clock(at: float) -> str:
    return moment(datetime.fromtimestamp(at / 1000, UTC))


def _progress(facts: JobFacts) -> Chart:
    """Documents that are settled, added up."""
    ended = {(row.at, row.status): row.documents for row in facts.ends}
    moments = sorted({row.at for row in facts.ends})
    names = [name for name in DRAWN_STATUSES if any(row.status == name for row in facts.ends)]
    sums = {name: list(accumulate(ended.get((at, name), 0) for at in moments)) for name in names}
    values: list[dict[str, Any]] = [{"at": moments[0], "n": 0, "series": name} for name in names]
    rows = []
    for number, at in enumerate(moments):
        end = at + facts.step * 1000
        said = ", ".join(f"{count(sums[name][number])} {name}" for name in names)
        rows.append((_clock(end), *(count(sums[name][number]) for name in names)))
        values += [
            {"at": end, "n": sums[name][number], "series": name, "said": f"{_clock(end)}: {said}"} for name in names
        ]
    colour = coloured(names, colours=[STATUSES[name] for name in names])
    layers = lines(height_of("n"), colour, area=True)
    about = "Documents that came to an end, added up."
    return chart("Documents", about, over_time(layers, values), ["until", *names], rows)


def _timed(facts: JobFacts, number: str, said: str, amount: Any) -> Values:
    return [
        {
            "at": row.at,
            "until": row.at + facts.step * 1000,
            "n": amount(row),
            "series": number,
            "said": f"from {_clock(row.at)}: {rate(amount(row))} {said}",
        }
        for row in facts.times
    ]


def _calls(facts: JobFacts) -> Chart:
    def a_minute(row: TimeRow) -> float:
        return row.calls * 60 / facts.step

    values = _timed(facts, "calls", "calls a minute", a_minute)
    rows = [(_clock(row.at), count(row.calls), rate(a_minute(row))) for row in facts.times]
    spec = over_time(bars(height_of("n"), coloured(["calls"])), values)
    return chart("Calls a minute", "Answers that arrived.", spec, ["from", "calls", "a minute"], rows)


def _tokens(facts: JobFacts) -> Chart:
    def a_minute(name: str) -> Any:
        return lambda row: getattr(row, name) * 60 / facts.step

    names = {"in": "prompt_tokens", "out": "completion_tokens"}
    values = [
        value
        for series, name in names.items()
        for value in _timed(facts, series, f"tokens {series} a minute", a_minute(name))
    ]
    rows = [(_clock(row.at), count(row.prompt_tokens), count(row.completion_tokens)) for row in facts.times]
    spec = over_time(lines(height_of("n"), coloured(list(names))), values)
    return chart("Tokens a minute", "As the providers counted them.", spec, ["from", "tokens in", "tokens out"], rows)


def _spent(facts: JobFacts) -> Chart:
    sums = list(accumulate(row.cost_usd for row in facts.times))
    budget = (facts.record.get("spec") or {}).get("budget")
    values = [
        {"at": row.at + facts.step * 1000, "n": usd, "series": "spent", "said": f"{_clock(row.at)}: {money(usd)}"}
        for row, usd in zip(facts.times, sums, strict=True)
    ]
    begin = {"at": facts.times[0].at, "n": 0, "series": "spent"}
    rows = [
        (_clock(row.at + facts.step * 1000), money(row.cost_usd), money(usd))
        for row, usd in zip(facts.times, sums, strict=True)
    ]
    spec = over_time(
        lines(height_of("n", "$~s"), coloured(["spent"], colours=["var(--c3)"]), area=True), [begin, *values]
    )
    about = (
        f"What the answers cost, added up; the budget is {money(budget)}." if budget else "What they cost, added up."
    )
    return chart("Money", about, spec, ["until", "in this step", "in all"], rows)


def _latency(sizes: Sequence[SizeRow]) -> Chart:
    """A line from p50 to p99 for each size of a prompt."""
    names = [_size(row, sizes) for row in sizes]
    quantiles = ("p50", "p90", "p99")
    values = [
        {
            "size": name,
            "n": getattr(row, quantile) / 1000,
            "series": quantile,
            "said": f"{name} tokens: {quantile} {milliseconds(getattr(row, quantile))}, {count(row.calls)} calls",
        }
        for name, row in zip(names, sizes, strict=True)
        for quantile in quantiles
    ]
    axis = {"title": "tokens of the prompt", "labelAngle": 0, "labelOverlap": True}
    x = {"field": "size", "type": "ordinal", "sort": names, "axis": axis}
    spec = {
        "data": {"values": values},
        "encoding": {"x": x},
        "layer": lines(height_of("n", "~s"), coloured(quantiles), points=True),
    }
    rows = [
        (name, count(row.calls), *(milliseconds(getattr(row, one)) for one in quantiles))
        for name, row in zip(names, sizes, strict=True)
    ]
    about = "Seconds from sending a request to the whole answer."
    return chart("Latency by size of the prompt", about, spec, ["tokens", "calls", *quantiles], rows)


def _size(row: SizeRow, sizes: Sequence[SizeRow]) -> str:
    if row.most is None:
        largest = max((one.most for one in sizes if one.most), default=None)
        return f">{_thousands(largest)}" if largest else "all"
    return f"≤{_thousands(row.most)}"


def _thousands(number: int | None) -> str:
    return f"{number // 1000}k" if number and number >= 1000 else str(number)
