"""Numbers as lists print them, by the format's name (ECMA-376, part 1, 17.18.59)."""

from collections.abc import Callable

ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    )
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
RUSSIAN = "абвгдежзиклмнопрстуфхцчшщыэюя"
HEBREW = "אבגדהוזחטיכלמנסעפצקרשת"
ARABIC = "أبتثجحخدذرزسشصضطظعغفقكلمنهوي"
AIUEO = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
IROHA = "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセスン"
GANADA = "가나다라마바사아자차카타파하"
THAI = "กขคงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ"
STEMS, BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
HAN = "〇一二三四五六七八九"
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
SMALL = _SMALL.split()
TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"} | {
    "twelve": "twelfth"
}
MOST_ROMAN, MOST_LETTERS, CENTURY, THOUSAND = 32_767, 780, 100, 1000


def numeral(value: int, form: str) -> str:
    """Return a number in a format; in decimal digits where the format isn't known, or can't show it.

    A format of digits (`001`) is as wide as these.
    """
    if form.isdecimal():
        return str(value).zfill(len(form))
    if form == "none":
        return ""
    make = FORMS.get(form)
    return (make(value) if make and value > 0 else "") or str(value)


def roman(value: int) -> str:
    """Return a number in Roman numerals."""
    found = ""
    for worth, letters in ROMAN if value <= MOST_ROMAN else ():
        times, value = divmod(value, worth)
        found += letters * times
    return found


def repeated(alphabet: str) -> Callable[[int], str]:
    """Return the form that goes through an alphabet, then through its letters doubled: a, …, z, aa, bb."""

    def make(value: int) -> str:
        times, place = divmod(value - 1, len(alphabet))
        return alphabet[place] * (times + 1) if value <= MOST_LETTERS else ""

    return make


def ordinal(value: int) -> str:
    """Return 1st, 2nd, 3rd, 4th."""
    suffix = "th" if value % CENTURY in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{suffix}"


def cardinal(value: int) -> str:
    """Return a number below a thousand in words."""
    if value >= THOUSAND:
        return ""
    hundreds, rest = divmod(value, CENTURY)
    tens, ones = divmod(rest, 10)
    low = SMALL[rest] if rest < len(SMALL) else TENS[tens] + (f"-{SMALL[ones]}" if ones else "")
    if not hundreds:
        return low
    return f"{SMALL[hundreds]} hundred" + (f" {low}" if rest else "")


def ordinal_words(value: int) -> str:
    """Return first, second, twenty-first."""
    words = cardinal(value)
    cut = max(words.rfind("-"), words.rfind(" ")) + 1
    start, last = words[:cut], words[cut:]
    if not last:
        return ""
    return start + (ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"))


def han(value: int) -> str:
    """Return a number below ten thousand in Chinese numerals."""
    found = ""
    for worth, word in ((1000, "千"), (100, "百"), (10, "十")):
        digit, value = divmod(value, worth)
        if digit:
            found += ("" if digit == 1 and worth == 10 and not found else HAN[digit]) + word
        elif found and value and not found.endswith(HAN[0]):
            found += HAN[0]
    return found + (HAN[value] if value else "")


def circled(value: int) -> str:
    """Return ①, …, ⑳."""
    return chr(0x245F + value) if value <= 20 else ""


FORMS: dict[str, Callable[[int], str]] = {
    "lowerLetter": repeated(LETTERS),
    "upperLetter": repeated(LETTERS.upper()),
    "lowerRoman": lambda value: roman(value).lower(),
    "upperRoman": roman,
    "ordinal": ordinal,
    "cardinalText": lambda value: cardinal(value).capitalize(),
    "ordinalText": lambda value: ordinal_words(value).capitalize(),
    "decimalZero": lambda value: f"{value:02}",
    "hex": lambda value: f"{value:X}",
    "chicago": lambda value: "*†‡§"[(value - 1) % 4] * min((value + 3) // 4, 10),
    "numberInDash": lambda value: f"- {value} -",
    "decimalFullWidth": lambda value: "".join(chr(ord(digit) + 0xFEE0) for digit in str(value)),
    "decimalEnclosedCircle": circled,
    "decimalEnclosedCircleChinese": circled,
    "decimalEnclosedFullstop": lambda value: f"{value}.",
    "decimalEnclosedParen": lambda value: f"({value})",
    "russianLower": repeated(RUSSIAN),
    "russianUpper": repeated(RUSSIAN.upper()),
    "hebrew2": repeated(HEBREW),
    "arabicAlpha": repeated(ARABIC),
    "aiueo": repeated(AIUEO),
    "aiueoFullWidth": repeated(AIUEO),
    "iroha": repeated(IROHA),
    "irohaFullWidth": repeated(IROHA),
    "ganada": repeated(GANADA),
    "thaiLetters": repeated(THAI),
    "ideographTraditional": repeated(STEMS),
    "ideographZodiac": repeated(BRANCHES),
    "ideographDigital": lambda value: "".join(HAN[int(digit)] for digit in str(value)),
    "japaneseDigitalTenThousand": lambda value: "".join(HAN[int(digit)] for digit in str(value)),
    "chineseCounting": lambda value: han(value) if value < 10_000 else "",
    "chineseCountingThousand": lambda value: han(value) if value < 10_000 else "",
    "japaneseCounting": lambda value: han(value) if value < 10_000 else "",
    "taiwaneseCounting": lambda value: han(value) if value < 10_000 else "",
    "taiwaneseCountingThousand": lambda value: han(value) if value < 10_000 else "",
}
