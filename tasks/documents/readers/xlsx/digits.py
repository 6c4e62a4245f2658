"""Numbers by patterns of digits: `#,##0.00`, `0%`, `0.0,,`, `# ?/?`, `0.00E+00`, `(000) 000-0000`."""

import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

PLACES = "0#?"
MOST_PLACES = 30
PRECISION = 400
MOST_DIGITS = 5
# A spreadsheet keeps 15 digits of a number; the file may hold two more, which are noise.
SHORT = 15
# Words, digits of which the last is always shown, decimals that are, words.
USUAL = re.compile(r"(w*)([#,]*(?<!,)0)(\.0{1,9})?([w%]*)")


def general(text: str) -> str:
    """Return a number as it is shown without a format: with all its digits, without a float's noise."""
    if len(text) <= SHORT and text.lstrip("-").replace(".", "", 1).isdigit():
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    if abs(value) < 10**SHORT and value == int(value):
        return str(int(value))
    return f"{value:.15g}".replace("e+", "E+").replace("e-", "E-")


def plain_pattern(tokens: Sequence[tuple[str, str]]) -> Callable[[str], str | None] | None:
    """Return what shows a size in a usual pattern quickly, None for what is out of its reach.

    Usual are digits with or without thousands and decimals, between words: `$#,##0.00`, `0.0 %`.
    """
    usual = USUAL.fullmatch("".join(kind if len(kind) == 1 else "w" for kind, _ in tokens))
    if usual is None:
        return None
    before = "".join(token for _, token in tokens[: usual.end(1)]).lstrip()
    after = "".join(token for _, token in tokens[usual.start(4) :]).rstrip()
    places = len(usual[3] or ".") - 1
    unit, power = Decimal(1).scaleb(-places), 2 * (usual[4]).count("%")
    form = ",f" if "," in usual[2] else "f"

    def shown(text: str) -> str | None:
        if len(text) > SHORT + 2 or "E" in text or "e" in text:
            return None
        value = Decimal(text if len(text) <= SHORT else f"{float(text):.15g}").scaleb(power)
        return f"{before}{abs(value).quantize(unit, ROUND_HALF_UP):{form}}{after}"

    return shown


def digits_shown(tokens: Sequence[tuple[str, str]], text: str) -> str:
    """Return the size of a number, without its sign, in a pattern."""
    kinds = [kind for kind, _ in tokens]
    with localcontext(prec=PRECISION):
        value = abs(Decimal(general(text)))
        if not value.is_finite():
            return text
        value *= 100 ** min(kinds.count("%"), 5)
        if "E" in kinds:
            return _scientific(tokens, kinds, value)
        below = _denominator(tokens)
        if below:
            return _fraction(kinds, value, below)
        return _decimal(tokens, kinds, value)


def _decimal(tokens: Sequence[tuple[str, str]], kinds: Sequence[str], value: Decimal) -> str:
    places = [place for place, kind in enumerate(kinds) if kind in PLACES]
    point = kinds.index(".") if "." in kinds else places[-1] + 1
    whole = [place for place in places if place < point]
    decimals = [place for place in places if place > point][:MOST_PLACES]
    last = whole[-1] if whole else point
    commas = [place for place, kind in enumerate(kinds) if kind == ","]
    after = [place for place in commas if last < place and all(kinds[x] in (",", ".") for x in range(last + 1, place))]
    after += [place for place in commas if decimals and place > decimals[-1]]
    value = (value / 1000 ** len(set(after))).quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
    number, _, rest = f"{value:f}".partition(".")
    thousands = any(whole and whole[0] < place < last for place in commas)
    filled = _whole(kinds, whole, number, thousands=thousands) | _rest(kinds, decimals, rest)
    bare = "" if whole or number == "0" else number
    dot = bare + "." * any(filled.get(place) for place in decimals)
    return "".join(
        filled.get(place, "") if kind in PLACES else _literal(kind, token, dot if place == point else "")
        for place, (kind, token) in enumerate(tokens)
    )


def _literal(kind: str, token: str, dot: str) -> str:
    return dot if kind == "." else "" if kind == "," else token


def _whole(kinds: Sequence[str], places: Sequence[int], number: str, *, thousands: bool) -> dict[int, str]:
    """Return the digits before the point by their places in the pattern; the first takes all that are left."""
    digits = "" if number == "0" else number
    fewest = len(places) - next((at for at, place in enumerate(places) if kinds[place] == "0"), len(places))
    digits = digits.zfill(fewest) if fewest else digits
    groups = [("," if thousands and at and at % 3 == 0 else "", digit) for at, digit in enumerate(reversed(digits))]
    found: dict[int, str] = {}
    for at, place in enumerate(reversed(places)):
        taken = groups[at:] if at == len(places) - 1 else groups[at : at + 1]
        found[place] = "".join(digit + comma for comma, digit in reversed(taken))
    return found


def _rest(kinds: Sequence[str], places: Sequence[int], digits: str) -> dict[int, str]:
    """Return the digits after the point by their places; what is optional ends with the last that counts."""
    needed = len(digits.rstrip("0"))
    needed = max([needed, *(at + 1 for at, place in enumerate(places) if kinds[place] == "0")])
    return {place: digits[at] for at, place in enumerate(places) if at < needed}


def _scientific(tokens: Sequence[tuple[str, str]], kinds: Sequence[str], value: Decimal) -> str:
    at = kinds.index("E")
    mantissa, exponent = list(tokens[:at]), list(tokens[at + 1 :])
    point = kinds.index(".") if "." in kinds[:at] else at
    step = max(1, sum(kind in PLACES for kind in kinds[:point]))
    power = value.adjusted() // step * step if value else 0
    places = sum(kind in PLACES for kind in kinds[point:at])
    if value and round(value.scaleb(-power), places) >= 10**step:
        power += step
    shown = _decimal(mantissa, [kind for kind, _ in mantissa], value.scaleb(-power))
    width = sum(kind == "0" for kind, _ in exponent)
    words = "".join(token for kind, token in exponent if kind not in PLACES)
    sign = "-" if power < 0 else "+" if tokens[at][1].endswith("+") else ""
    return f"{shown}E{sign}{str(abs(power)).zfill(width)}{words}"


def _denominator(tokens: Sequence[tuple[str, str]]) -> str:
    """Return the digits, or the signs for such, below the bar of a fraction; "" where there is no bar."""
    bar = next((place for place, (kind, _) in enumerate(tokens) if kind == "/"), len(tokens))
    held = (token for kind, token in tokens[bar + 1 :] if kind in PLACES or (kind == "text" and token.isdecimal()))
    return "".join(held)[:MOST_DIGITS]


def _fraction(kinds: Sequence[str], value: Decimal, below: str) -> str:
    bar = kinds.index("/")
    fixed = int(below) if below.isdecimal() else 0
    above = [place for place in range(bar) if kinds[place] in PLACES]
    mixed = bool(above) and any(kinds[place] == "text" for place in range(above[0], bar))
    if fixed:
        top, bottom = round(Fraction(value) * fixed), fixed
    else:
        top, bottom = Fraction(value).limit_denominator(10 ** len(below) - 1).as_integer_ratio()
    if not mixed:
        return f"{top}/{bottom}"
    whole, top = divmod(top, bottom)
    return " ".join([str(whole)] * bool(whole or not top) + [f"{top}/{bottom}"] * bool(top))
