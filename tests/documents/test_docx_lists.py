import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.documents.readers.docx.numerals import numeral, roman
from tasks.documents.readers.docx.reader import read_docx
from tests.documents.word import cell, p, root, table, word


def level(number: int, form: str, text: str, more: str = "", start: int = 1) -> str:
    first = f'<w:start w:val="{start}"/><w:numFmt w:val="{form}"/>'
    return f'<w:lvl w:ilvl="{number}">{first}{more}<w:lvlText w:val="{text}"/></w:lvl>'


def lists(*levels: str, more: str = "", second: str = "") -> str:
    return root(
        "numbering",
        f'<w:abstractNum w:abstractNumId="0">{"".join(levels)}</w:abstractNum>{more}'
        f'<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
        f'<w:num w:numId="2"><w:abstractNumId w:val="0"/>{second}</w:num>',
    )


def item(text: str, at: int = 0, number: int = 1, style: str = "") -> str:
    return p(text, style=style, pr=f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{number}"/></w:numPr>')


def read(body: str, numbering: str, styles: str = "") -> list[str]:
    content = read_docx(word(body, {"numbering.xml": numbering, "styles.xml": root("styles", styles)}))
    assert content.unread == ()
    return [line for line in content.text.split("\n") if line]


LATER = (
    '<mc:AlternateContent><mc:Choice Requires="w14"><w:numFmt w:val="custom" w:format="001, 002, 003, ..."/>'
    '</mc:Choice><mc:Fallback><w:numFmt w:val="decimal"/></mc:Fallback></mc:AlternateContent>'
)
DECIMAL, LETTER = level(0, "decimal", "%1."), level(1, "lowerLetter", "(%2)")
DEEP = (level(0, "decimal", "%1"), level(1, "decimal", "%1.%2"), level(2, "lowerRoman", "%1.%2.%3)"))
ANEW = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'
FIVE = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
OTHER = f'<w:lvlOverride w:ilvl="0">{level(0, "upperRoman", "%1 -")}</w:lvlOverride>'


@pytest.mark.parametrize(
    ("numbering", "body", "lines"),
    [
        (lists(DECIMAL), item("a") + p("between") + item("b") + item("c"), ["1. a", "between", "2. b", "3. c"]),
        (
            lists(DECIMAL, LETTER),
            item("a") + item("b", 1) + item("c", 1) + item("d") + item("e", 1),
            ["1. a", "  (a) b", "  (b) c", "2. d", "  (a) e"],
        ),
        (
            lists(*DEEP),
            item("a") + item("b", 1) + item("c", 2) + item("d", 2) + item("e", 1) + item("f", 2),
            ["1 a", "  1.1 b", "    1.1.i) c", "    1.1.ii) d", "  1.2 e", "    1.2.i) f"],
        ),
        (lists(*DEEP), item("a", 1) + item("b", 1), ["  1.1 a", "  1.2 b"]),
        (lists(DECIMAL), item("a") + item("b", number=2) + item("c"), ["1. a", "2. b", "3. c"]),
        (lists(DECIMAL, second=ANEW), item("a") + item("b") + item("c", number=2), ["1. a", "2. b", "1. c"]),
        (lists(DECIMAL, second=FIVE), item("a") + item("b", number=2) + item("c", number=2), ["1. a", "5. b", "6. c"]),
        (lists(DECIMAL, second=OTHER), item("a", number=2) + item("b", number=2), ["I - a", "II - b"]),
        (lists(level(0, "decimal", "%1.", start=7)), item("a") + item("b"), ["7. a", "8. b"]),
        (lists(level(0, "bullet", "\uf0b7"), level(1, "bullet", "o")), item("a") + item("b", 1), ["- a", "  - b"]),
        (lists(level(0, "bullet", "☐")), item("a") + item(""), ["- ☐ a"]),
        (
            lists(level(0, "bullet", "\uf0fe", '<w:rPr><w:rFonts w:ascii="Wingdings"/></w:rPr>')),
            item("a"),
            ["- ☑ a"],
        ),
        (
            lists(level(0, "decimal", "No. %1").replace("<w:numFmt", f"{LATER}<w:numFmt")),
            item("a") + item("b"),
            ["No. 001 a", "No. 002 b"],
        ),
        (lists(level(0, "none", "Note:")), item("a"), ["Note: a"]),
        (lists(level(0, "decimal", "Article %1")), item("a") + item("b"), ["Article 1 a", "Article 2 b"]),
        (
            lists(level(0, "upperRoman", "%1."), level(1, "decimal", "%1.%2", "<w:isLgl/>")),
            item("a") + item("b", 1),
            ["I. a", "  1.1 b"],
        ),
        (
            lists(DECIMAL, level(1, "decimal", "§%2", '<w:lvlRestart w:val="0"/>')),
            item("a") + item("b", 1) + item("c") + item("d", 1),
            ["1. a", "  §1 b", "2. c", "  §2 d"],
        ),
        (lists(DECIMAL), item("a") + item("b", number=0) + item("c", number=9), ["1. a", "b", "c"]),
        (lists(DECIMAL), item("a") + item("") + item("c"), ["1. a", "2.", "3. c"]),
        (
            lists(DECIMAL),
            table((cell(inner=item("")), "Bolt"), (cell(inner=item("")), "Nut")),
            ["| 1. | Bolt |", "| --- | --- |", "| 2. | Nut |"],
        ),
    ],
)
def test_a_list_is_numbered_as_it_is_printed(numbering: str, body: str, lines: list[str]) -> None:
    assert read(body, numbering) == lines


def style(name: str, inner: str, based: str = "") -> str:
    on = f'<w:basedOn w:val="{based}"/>' if based else ""
    return f'<w:style w:type="paragraph" w:styleId="{name}">{on}<w:pPr>{inner}</w:pPr></w:style>'


LISTED = '<w:numPr><w:numId w:val="1"/></w:numPr>'


@pytest.mark.parametrize(
    ("styles", "numbering", "body", "lines"),
    [
        (style("Clause", LISTED), lists(DECIMAL), p("a", style="Clause") + p("b", style="Clause"), ["1. a", "2. b"]),
        (
            style("Heading1", LISTED),
            lists(level(0, "decimal", "Article %1")),
            p("Scope", style="Heading1") + p("x") + p("End", style="Heading1"),
            ["# Article 1 Scope", "x", "# Article 2 End"],
        ),
        (
            style("Heading1", LISTED) + style("Heading2", LISTED),
            lists(
                level(0, "decimal", "%1", '<w:pStyle w:val="Heading1"/>'),
                level(1, "decimal", "%1.%2", '<w:pStyle w:val="Heading2"/>'),
            ),
            p("a", style="Heading1") + p("b", style="Heading2") + p("c", style="Heading2"),
            ["# 1 a", "## 1.1 b", "## 1.2 c"],
        ),
        (
            style("Clause", LISTED) + style("Own", "", "Clause"),
            lists(DECIMAL),
            p("a", style="Clause") + p("b", style="Own"),
            ["1. a", "2. b"],
        ),
        (
            style("Clause", LISTED),
            lists(DECIMAL),
            p("a", style="Clause") + item("no number", 0, 0, "Clause") + p("b", style="Clause"),
            ["1. a", "no number", "2. b"],
        ),
        (
            style("Clause", '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr>'),
            lists(DECIMAL, LETTER),
            item("a") + p("b", style="Clause"),
            ["1. a", "  (a) b"],
        ),
        (
            style("Clause", LISTED),
            lists(DECIMAL, LETTER),
            p("a", style="Clause") + p("b", style="Clause", pr='<w:numPr><w:ilvl w:val="1"/></w:numPr>'),
            ["1. a", "  (a) b"],
        ),
        (
            style("Legal", LISTED.replace('"1"', '"5"')).replace("paragraph", "numbering"),
            lists(
                '<w:numStyleLink w:val="Legal"/>',
                more=f'<w:abstractNum w:abstractNumId="3"><w:styleLink w:val="Legal"/>{DECIMAL}</w:abstractNum>'
                '<w:num w:numId="5"><w:abstractNumId w:val="3"/></w:num>',
            ),
            item("a") + item("b"),
            ["1. a", "2. b"],
        ),
    ],
)
def test_a_style_numbers_its_paragraphs(styles: str, numbering: str, body: str, lines: list[str]) -> None:
    assert read(body, numbering, styles) == lines


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        ("decimal", 12, "12"),
        ("lowerLetter", 26, "z"),
        ("lowerLetter", 28, "bb"),
        ("upperLetter", 2, "B"),
        ("lowerRoman", 14, "xiv"),
        ("upperRoman", 1999, "MCMXCIX"),
        ("ordinal", 1, "1st"),
        ("ordinal", 12, "12th"),
        ("ordinal", 23, "23rd"),
        ("cardinalText", 42, "Forty-two"),
        ("cardinalText", 300, "Three hundred"),
        ("ordinalText", 1, "First"),
        ("ordinalText", 8, "Eighth"),
        ("ordinalText", 12, "Twelfth"),
        ("ordinalText", 20, "Twentieth"),
        ("ordinalText", 101, "One hundred first"),
        ("decimalZero", 5, "05"),
        ("decimalEnclosedCircle", 3, "③"),
        ("decimalFullWidth", 10, "\uff11\uff10"),
        ("chineseCounting", 12, "十二"),
        ("chineseCounting", 105, "一百〇五"),
        ("japaneseCounting", 20, "二十"),
        ("ideographDigital", 10, "一〇"),
        ("ideographTraditional", 2, "乙"),
        ("aiueo", 1, "ア"),
        ("ganada", 2, "나"),
        ("russianLower", 5, "д"),
        ("hebrew2", 1, "א"),
        ("numberInDash", 3, "- 3 -"),
        ("hex", 255, "FF"),
        ("001", 12, "012"),
        ("none", 3, ""),
        ("unknownForm", 3, "3"),
        ("lowerRoman", 0, "0"),
        ("upperRoman", 1_000_000, "1000000"),
        ("lowerLetter", -1, "-1"),
    ],
)
def test_a_number_is_written_as_its_format_says(form: str, value: int, text: str) -> None:
    assert numeral(value, form) == text


@given(st.integers(1, 3999))
def test_roman_numerals_add_up_to_their_number(value: int) -> None:
    worth = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    numbers = [worth[letter] for letter in roman(value)]
    signed = [number if number >= after else -number for number, after in zip(numbers, [*numbers[1:], 0], strict=True)]
    assert sum(signed) == value
