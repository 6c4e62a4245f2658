"""The charts of a job's page: what came when, what it cost, and how long it took."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from tasks.pages.charts import Chart, Values, bars, chart, coloured, height_of, lines, over_time
from tasks.pages.figures import count, milliseconds, moment, money, rate
from tasks.pages.job_facts import JobFacts
from tasks.pages.job_rows import SizeRow, TimeRow

STATUSES = {"done": "var(--c1)", "partial": "var(--c5)", "failed": "var(--bad)"}


def job_charts(facts: JobFacts) -> Iterator[Chart]:
    """Yield the charts that there is something to show in."""
    if facts.ends:
        yield _progress(facts)
    if facts.times:
        yield _calls(facts)
        yield _tokens(facts)
        if facts.sums.cost_usd:
            yield _spent(facts)
        yield _latency(facts.sizes)


def clock(at: float) -> str:
    """Return a time of so many ms since 1970."""
    return moment(datetime.fromtimestamp(at / 1000, UTC))


def _progress(facts: JobFacts) -> Chart:
    """Documents that are settled, added up."""
    ended = {(row.at, row.status): row.documents for row in facts.ends}
    moments = sorted({row.at for row in facts.ends})
    names = [name for name in STATUSES if any(row.status == name for row in facts.ends)]
    sums = {name: list(accumulate(ended.get((at, name), 0) for at in moments)) for name in names}
    values: list[dict[str, Any]] = [{"at": moments[0], "n": 0, "series": name} for name in names]
    rows = []
    for number, at in enumerate(moments):
        end = at + facts.step * 1000
        said = ", ".join(f"{count(sums[name][number])} {name}" for name in names)
        rows.append((clock(end), *(count(sums[name][number]) for name in names)))
        values += [
            {"at": end, "n": sums[name][number], "series": name, "said": f"{clock(end)}: {said}"} for name in names
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
            "said": f"from {clock(row.at)}: {rate(amount(row))} {said}",
        }
        for row in facts.times
    ]


def _calls(facts: JobFacts) -> Chart:
    def a_minute(row: TimeRow) -> float:
        return row.calls * 60 / facts.step

    values = _timed(facts, "calls", "calls a minute", a_minute)
    rows = [(clock(row.at), count(row.calls), rate(a_minute(row))) for row in facts.times]
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
    rows = [(clock(row.at), count(row.prompt_tokens), count(row.completion_tokens)) for row in facts.times]
    spec = over_time(lines(height_of("n"), coloured(list(names))), values)
    return chart("Tokens a minute", "As the providers counted them.", spec, ["from", "tokens in", "tokens out"], rows)


def _spent(facts: JobFacts) -> Chart:
    sums = list(accumulate(row.cost_usd for row in facts.times))
    budget = (facts.record.get("spec") or {}).get("budget")
    values = [
        {"at": row.at + facts.step * 1000, "n": usd, "series": "spent", "said": f"{clock(row.at)}: {money(usd)}"}
        for row, usd in zip(facts.times, sums, strict=True)
    ]
    begin = {"at": facts.times[0].at, "n": 0, "series": "spent"}
    rows = [
        (clock(row.at + facts.step * 1000), money(row.cost_usd), money(usd))
        for row, usd in zip(facts.times, sums, strict=True)
    ]
    spec = over_time(
        lines(height_of("n", "$,~r"), coloured(["spent"], colours=["var(--c3)"]), area=True), [begin, *values]
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
