"""Serial numbers as dates and times (ECMA-376, part 1, 18.17.4)."""

import datetime as dt
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

DATE_LETTERS = {"date", "elapsed"}
LAST_DAY = 2_958_465  # 9999-12-31
EPOCH, EPOCH_1904 = dt.date(1899, 12, 30), dt.date(1904, 1, 1)
# The first spreadsheets took 1900 for a leap year: the days before its 29 February are one further on.
LEAP_DAY = 60
DAY, HOUR, MINUTE = 86_400, 3_600, 60
MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Moment:
    """A serial number, rounded to `places` decimals of a second. Raises OverflowError beyond year 9999."""

    def __init__(self, value: float, places: int, *, from_1904: bool) -> None:
        unit = Decimal(1).scaleb(-places)
        self.total = (Decimal(repr(value)) * DAY).quantize(unit, ROUND_HALF_UP)
        days, self.second_of_day = int(self.total // DAY), self.total % DAY
        self.days = days
        shift = 0 if from_1904 or days >= LEAP_DAY else 1
        self.date = (EPOCH_1904 if from_1904 else EPOCH) + dt.timedelta(days=days + shift)


def date_shown(tokens: Sequence[tuple[str, str]], value: float, *, from_1904: bool) -> str:
    """Return a serial number between 0 and LAST_DAY in a format."""
    places = max((len(token.partition(".")[2]) for kind, token in tokens if kind == "date"), default=0)
    has_seconds = any(token.startswith("s") for kind, token in tokens if kind in DATE_LETTERS)
    try:
        moment = Moment(value, places if has_seconds else 0, from_1904=from_1904)
    except OverflowError:
        return ""
    half = any(kind == "half" for kind, _ in tokens)
    words = []
    for place, (kind, token) in enumerate(tokens):
        if kind == "elapsed":
            words.append(_elapsed(token, moment))
        elif kind == "half":
            words.append("PM" if moment.second_of_day >= DAY // 2 else "AM")
        elif kind == "date":
            minutes = token[0] == "m" and len(token) < 3 and _is_minutes(tokens, place)
            words.append(_clock(token, moment, half=half) if minutes or token[0] in "hs" else _calendar(token, moment))
        else:
            words.append(token)
    return " ".join("".join(words).split())


def _is_minutes(tokens: Sequence[tuple[str, str]], place: int) -> bool:
    """Whether an m is after hours or before seconds."""
    before = [token for kind, token in tokens[:place] if kind in DATE_LETTERS]
    after = [token for kind, token in tokens[place + 1 :] if kind in DATE_LETTERS]
    return (bool(before) and before[-1][0] == "h") or (bool(after) and after[0][0] == "s")


def _elapsed(token: str, moment: Moment) -> str:
    unit = {"h": HOUR, "m": MINUTE, "s": 1}[token[0]]
    return str(int(moment.total // unit)).zfill(len(token))


def _clock(token: str, moment: Moment, *, half: bool) -> str:
    if token[0] == "h":
        hour = int(moment.second_of_day // HOUR)
        return str((hour % 12 or 12) if half else hour).zfill(min(len(token), 2))
    if token[0] == "m":
        return str(int(moment.second_of_day // MINUTE % 60)).zfill(len(token))
    seconds = moment.second_of_day % 60
    whole, dot, decimals = token.partition(".")
    text = str(int(seconds)).zfill(min(len(whole), 2))
    return text + (dot + str(seconds % 1)[2:].ljust(len(decimals), "0") if dot else "")


def _calendar(token: str, moment: Moment) -> str:
    date, length = moment.date, len(token)
    leap_day = moment.days == LEAP_DAY and date.year == 1900
    if token[0] == "y":
        return f"{date.year % 100:02}" if length < 3 else f"{date.year:04}"
    if token[0] == "e":
        return str(date.year)
    if token[0] == "m":
        name = MONTHS[date.month - 1]
        return {1: str(date.month), 2: f"{date.month:02}", 3: name[:3], 5: name[0]}.get(length, name)
    if token[0] in "da" and (length > 2):
        name = WEEKDAYS[date.weekday()]
        return name[:3] if length == 3 else name
    if token[0] == "d":
        return str(29 if leap_day else date.day).zfill(length)
    return ""  # the name of an era
