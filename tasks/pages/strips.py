"""Small drawings in a table's cells: uptime in cells of an hour or a week, and a line of latencies."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from tasks.monitoring.health_records import DayLatency, Strip
from tasks.pages.figures import count, day, moment, share

HOURS, WEEKS = 48, 52
MOST = 0.95  # up less often than this is worse than a hiccup
TONES = ("up-all", "up-most", "up-some", "up-none")


class StripCell(NamedTuple):
    """A cell of a strip, with what it says when pointed at."""

    tone: str
    said: str


def hours_of(slots: Sequence[Strip], now: datetime) -> list[StripCell]:
    """Return a cell for each of the last HOURS hours, the one at hand last."""
    last = now.replace(minute=0, second=0, microsecond=0)
    known = {slot.start: slot for slot in slots}
    return [_cell(known.get(at), at) for at in (last - timedelta(hours=HOURS - 1 - back) for back in range(HOURS))]


def _cell(slot: Strip | None, at: datetime) -> StripCell:
    when = moment(at)[:-3]
    if slot is None or not slot.count:
        return StripCell("up-none", f"{when}: nobody looked")
    return StripCell(
        tone_of(slot.ok / slot.count), f"{when}: {share(slot.ok / slot.count)} of {count(slot.count)} looks"
    )


def weeks_of(days: Sequence[Strip], now: datetime) -> list[StripCell]:
    """Return a cell for each of the last WEEKS weeks, the current one last; days are weighted by their looks."""
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(1)
    weeks: dict[int, list[Strip]] = {}
    for slot in days:
        weeks.setdefault((tomorrow - slot.start - timedelta(1)).days // 7, []).append(slot)
    return [_week(weeks.get(back, ()), tomorrow - timedelta(7 * (back + 1))) for back in reversed(range(WEEKS))]


def _week(slots: Sequence[Strip], begin: datetime) -> StripCell:
    looks = sum(slot.count for slot in slots)
    when = f"week from {day(begin)}"
    if not looks:
        return StripCell("up-none", f"{when}: nobody looked")
    up = sum(slot.ok for slot in slots) / looks
    return StripCell(tone_of(up), f"{when}: {share(up)} of {count(looks)}")


def tone_of(up: float) -> str:
    """Return the class of a share."""
    return TONES[0] if up >= 1 else TONES[1] if up >= MOST else TONES[2]


def spark(days: Sequence[DayLatency], points: int = 60) -> str:
    """Return the path of the median's line in a box of 100 by 20; of many days the medians of groups of them."""
    if len(days) < 2:
        return ""
    step = -(-len(days) // points)
    groups = [days[at : at + step] for at in range(0, len(days), step)]
    values = [sorted(one.p50 for one in group)[len(group) // 2] for group in groups]
    top = max(values) or 1.0
    width = 100 / max(len(values) - 1, 1)
    return "M" + "L".join(f"{number * width:.1f} {20 - 19 * value / top:.1f}" for number, value in enumerate(values))
