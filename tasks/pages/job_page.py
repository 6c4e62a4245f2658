"""The page of a job: what `job_facts` tells, in words, tables and charts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tasks.base.errors import UserMistake
from tasks.models.catalogue import load_catalogue
from tasks.pages.figures import count, duration, moment, money, short
from tasks.pages.job_charts import clock, job_charts
from tasks.pages.job_facts import FAILED, LARGEST, JobFacts
from tasks.pages.page import options_of, page, write_page
from tasks.prompting.options import Options
from tasks.providers.effective_limits import EffectiveLimits
from tasks.results.location import Folder

TONES = {"done": "good", "partial": "warn", "failed": "bad", "paused": "warn", "running": "quiet"}


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
        job=_job(facts, folder.location, now or datetime.now(UTC)),
        charts=list(job_charts(facts)),
        limits=list(_limits(facts)),
        documents=_documents(facts),
        options=options_of(facts.record.get("spec") or {}),
        tones=TONES,
    )


def write_job_page(folder: Folder, facts: JobFacts) -> None:
    """Write OUTPUT/dashboard.html, whole or not at all. Raises StorageFailed."""
    write_page(folder, job_page(folder, facts))


def _job(facts: JobFacts, place: str, now: datetime) -> dict[str, Any]:
    """Return the words and numbers about the whole job, by their names in the template."""
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
                f"no price for {count(sums.unpriced)} of the calls" if sums.unpriced else "",
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
        until = f", the last answers came at {clock(last)}"
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


def _declared(provider: str) -> Mapping[str, float | None]:
    """Return what `data/providers.toml` declares; nothing of a provider that isn't in it any more."""
    try:
        found = load_catalogue().provider(provider or "")
    except UserMistake:
        return {}
    limits = EffectiveLimits.of(Options(), found)
    return {
        "rpm": limits.a_minute("requests"), "tpm": limits.a_minute("tokens"), "concurrency": limits.concurrency,
    }  # fmt: skip
