"""A PDF is read as a person sees it: figures under their columns, powers, fields; and pages without text are told."""
# ruff: noqa: E501 - a case stands in one piece

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content
from tasks.documents.readers.pdf.reader import read_pdf
from tasks.documents.readers.pdf.running import without_running_lines
from tests.documents.made import _numbered

SAMPLES = Path(__file__).parent / "samples"
CASES = ["02_heads_and_feet", "04_columns", "filled_form", "one_text_page_three_scanned"]
IMAGE = "q 500 0 0 700 50 50 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q\n"
STAMP = "q 20 0 0 20 50 50 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q\n"
SHAPES = "0 0 m 9 9 l S\n" * 300


def pdf(streams: Sequence[str], *fields: str, rotate: int = 0) -> bytes:
    """A PDF of pages with these contents; the fields are annotations of the first."""
    objects = ["", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids, first = [], 4 + 2 * len(streams)
    for number, stream in enumerate(streams):
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
        annotations = " ".join(f"{first + one} 0 R" for one in range(len(fields)))
        more = f"/Annots[{annotations}]" if fields and not number else ""
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Rotate {rotate}/Resources<</Font<</F1 3 0 R>>>>{more}"
            f"/Contents {len(objects)} 0 R>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects += fields
    widgets = " ".join(f"{first + one} 0 R" for one, field in enumerate(fields) if "/Widget" in field)
    objects[0] = f"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[{widgets}]/DA(/Helv 12 Tf)>>>>"
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    return _numbered(objects, "")


def line(*runs: tuple[float, str], y: float = 700, size: float = 12) -> str:
    """A line of runs, each at its x."""
    return "".join(f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n" for x, text in runs)


def lines(*rows: Sequence[tuple[float, str]]) -> str:
    return "".join(line(*row, y=700 - 18 * number) for number, row in enumerate(rows))


def raised(before: str, mark: str, after: str, *, rise: float = 5, size: float = 7) -> str:
    return f"BT /F1 12 Tf 72 700 Td ({before}) Tj {rise} Ts /F1 {size} Tf ({mark}) Tj 0 Ts /F1 12 Tf ({after}) Tj ET"


@pytest.mark.parametrize("name", CASES)
def test_a_sample_is_read_as_a_person_sees_it(name: str) -> None:
    content = read_pdf((SAMPLES / f"{name}.pdf").read_bytes())
    assert content.text == (SAMPLES / f"{name}.pdf.txt").read_text()
    assert [part.part for part in content.unread] == (["page 2", "page 3", "page 4"] if "scanned" in name else [])


TEXT = line((72, "A page of words that say more than enough."))


@pytest.mark.parametrize(
    ("pages", "unread"),
    [
        ([TEXT, IMAGE], ["page 2"]),
        ([IMAGE, TEXT], ["page 1"]),
        ([TEXT, IMAGE, TEXT, IMAGE], ["page 2", "page 4"]),
        ([TEXT, IMAGE + line((300, "17"), y=20)], ["page 2"]),
        ([TEXT, SHAPES], ["page 2"]),
        ([TEXT, STAMP], ["page 2"]),
        ([TEXT, ""], []),
        ([TEXT, "0 0 m 9 9 l S"], []),
        ([TEXT + IMAGE], []),
        ([TEXT, STAMP + line((72, "Figure 3"))], []),
    ],
)
def test_pages_that_hold_an_image_of_text_are_told(pages: list[str], unread: list[str]) -> None:
    content = read_pdf(pdf(pages))
    assert [part.part for part in content.unread] == unread
    for part in content.unread:
        assert content.text[: part.start].count("\f") + 1 == int(part.part.removeprefix("page "))
        assert "OCR" in part.reason


def test_blank_pages_are_no_images_of_text() -> None:
    for drawn, words in (("0 0 m 9 9 l S", "blank"), (IMAGE, "OCR"), (SHAPES, "OCR")):
        with pytest.raises(DocumentFailed, match=words):
            read_pdf(pdf(["", drawn]))


def test_a_damaged_page_leaves_the_others_theirs() -> None:
    data = (
        pdf([line((72, f"Words of page {word}.")) for word in ("one", "two", "three")])
        .replace(b"/Type/Page/Parent", b"/Type/Nope/Parent", 2)
        .replace(b"/Nope", b"/Page", 1)
    )
    content = read_pdf(data)
    assert content.text.split("\n\f") == ["Words of page one.", "", "Words of page three."]
    assert [part.part for part in content.unread] == ["page 2"]


STAYS: list[list[str]] = [
    [f"Invoice {1001 + number}\nCustomer {name}" for number, name in enumerate("abcd")],
    [f"Invoice {number}\nText {number} here" for number in range(1, 6)],
    [f"{name}\nText of it" for name in ("Birch Ltd", "Cedar Inc", "Maple SA", "Aspen BV")],
    [f"Total due: {100 * number}\nText of {number}" for number in range(1, 5)],
    [f"Text of {number}\nAccount 44{number:02}" for number in range(10, 15)],
    [f"2026-03-0{number}\nText of {number}" for number in range(1, 6)],
    [f"Chapter {number}\nText of {number}" for number in range(1, 6)],
    [f"Room {number} of the house\nText" for number in range(1, 6)],
    [f"Text {number}\n{number * 7}" for number in range(1, 6)],
    [f"Text {number}\n{number}.50 EUR" for number in range(1, 6)],
    ["Same\nOne", "Same\nTwo"],
]


@pytest.mark.parametrize("pages", STAYS)
def test_what_differs_by_page_stays(pages: list[str]) -> None:
    found = without_running_lines(pages)
    for page, kept in zip(pages, found, strict=True):
        assert set(page.split("\n")) - {"Text"} <= set(kept.split("\n")) | {"Text of it", "Text"}


@pytest.mark.parametrize(
    "number",
    ["{n}", "- {n} -", "Page {n}", "page {n} of 9", "Seite {n} von 9", "{n}/9", "p. {n}", "[{n}]", "{n} | Page", "Page {n}/9"],
)  # fmt: skip
def test_page_numbers_are_left_out(number: str) -> None:
    pages = [f"Text {letter}\n{number.format(n=page)}" for page, letter in enumerate("abcde", 4)]
    assert without_running_lines(pages) == [f"Text {letter}" for letter in "abcde"]


def test_roman_numbers_and_heads_of_two_lines() -> None:
    pages = [
        f"The Mill\nAnnual Review\nText {letter}\n{roman}"
        for letter, roman in zip("abcd", ("i", "ii", "iii", "iv"), strict=True)
    ]
    assert without_running_lines(pages) == ["The Mill\nAnnual Review\nText a", "Text b", "Text c", "Text d"]


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (raised("10", "6", " per ml"), "10^6 per ml"),
        (raised("400.01", "3", " EUR"), "400.01^3 EUR"),
        (raised("2", "10", " bytes"), "2^10 bytes"),
        (raised("5 m", "2", ""), "5 m^2"),
        (raised("CO", "2", " fell", rise=-3), "CO_2 fell"),
        (raised("H", "2", "O", rise=-3), "H_2O"),
        (raised("x", "2", "", size=6), "x^2"),
        (raised("10", "6", "", rise=0, size=12), "106"),
        (raised("Room ", "2", ""), "Room 2"),
        (raised("400.", "3", " EUR"), "400.^3 EUR"),
        (raised("It grew.", "3", " It fell"), "It grew.^3 It fell"),
        (raised("400,", "12", ""), "400,^12"),
        (raised("99%", "4", " of all"), "99%^4 of all"),
        (raised("99.5%.", "4", " Then"), "99.5%.^4 Then"),
        (raised("\\(2019\\)", "1", ""), "(2019)^1"),
        (raised("10", "-6", " m"), "10^-6 m"),
        (raised("10", "+6", " m"), "10^+6 m"),
        (raised("cm", "-1", ""), "cm^-1"),
        (raised("", "3", "400.01"), "^3 400.01"),
        (raised("", "12", "400"), "^12 400"),
        (raised("EUR ", "3", "400.01"), "EUR ^3 400.01"),
        (raised("", "3", "400", rise=0, size=12), "3400"),
        (raised("4", "-6", "", rise=0, size=12), "4-6"),
        (raised("1.", "5", " m", rise=0, size=12), "1.5 m"),
        (raised("1,", "500", "", rise=0, size=10), "1,500"),
        (line((-300, "Cut off")) + raised("10", "6", " per ml"), "10^6 per ml"),
        (raised("10", "6", " per ml") + line((72, "Cut off"), y=900), "10^6 per ml"),
        (line((72, "Total 5")) + line((640, "17")) + line((72, "More"), y=680), "Total 5\nMore"),
        (line((72, "1,000.00")), "1,000.00"),
        (line((72, "A4 and B5")), "A4 and B5"),
    ],
)
def test_raised_and_lowered_figures_never_fuse(stream: str, text: str) -> None:
    found = read_pdf(pdf([stream])).text.strip()
    assert "\n".join(line.rstrip() for line in found.split("\n")) == text


def test_a_word_parted_at_a_line_end_keeps_no_figure_or_field_from_being_read() -> None:
    parted = line((72, "the docu-"), y=500) + line((72, "ment"), y=486)
    content = read_pdf(pdf([parted + line((72, "Surname:"))], widget("Tx", "(Smith)", 130)))
    assert "Surname: Smith" in content.text
    assert "document" in content.text
    assert "400.01^3" in read_pdf(pdf([parted + raised("400.01", "3", " EUR")])).text


def widget(kind: str, value: str, left: float, bottom: float = 697, more: str = "") -> str:
    box = f"{left} {bottom} {left + 100} {bottom + 14}"
    return f"<</Type/Annot/Subtype/Widget/FT/{kind}/T(field)/V{value}/Rect[{box}]/DA(/Helv 12 Tf){more}>>"


@pytest.mark.parametrize(
    ("stream", "field", "text"),
    [
        (line((72, "Surname:")), widget("Tx", "(Smith)", 130), "Surname: Smith"),
        (line((72, "Surname:")), widget("Tx", "(Smith)", 130, 693), "Surname: Smith"),
        (
            line((72, "Country")),
            widget("Ch", "(France)", 130, more="/Ff 131072/Opt[(France)(Spain)]"),
            "Country France",
        ),
        (line((72, "Paid")), widget("Btn", "/Yes", 110, more="/AS/Yes/AP<</N<</Yes 1 0 R/Off 1 0 R>>>>"), "Paid [x]"),
        (line((72, "Paid")), widget("Btn", "/Off", 110, more="/AS/Off/AP<</N<</Yes 1 0 R/Off 1 0 R>>>>"), "Paid [ ]"),
        (line((72, "Name:"), (300, "Born:")), widget("Tx", "(Ada)", 120), "Name: Ada Born:"),
        ("", widget("Tx", "(Alone)", 300), "field: Alone"),
        (line((72, "Empty:")), widget("Tx", "()", 130), "Empty:"),
        (
            line((72, "Text.")),
            "<</Type/Annot/Subtype/FreeText/Contents(A note.)/Rect[300 300 400 320]>>",
            "Text.\nA note.",
        ),
        (line((72, "Text.")), "<</Type/Annot/Subtype/Link/Contents(no text)/Rect[300 300 400 320]>>", "Text."),
        (line((72, "Text.")), "<</Type/Annot/Subtype/Popup/Contents(no text)/Rect[300 300 400 320]>>", "Text."),
        (
            line((72, "Text.")),
            "<</Type/Annot/Subtype/Stamp/Contents(APPROVED)/Rect[300 300 400 320]>>",
            "Text. APPROVED",
        ),
        *[
            (
                line((72, "The total is 5.")),
                f"<</Type/Annot/Subtype/{kind}/Contents(check)/Rect[98 697 124 712]/QuadPoints[98 712 124 712 98 697 124 697]>>",
                "The total [check] is 5.",
            )
            for kind in ("Highlight", "Underline", "StrikeOut", "Squiggly")
        ],
        *[
            (line((72, "Code:")), widget("Tx", "(secret)", 130, more=more), "Code:")
            for more in ("/F 2", "/F 32", "/Ff 8192")
        ],
        (line((72, "Code:")), widget("Tx", "(printed)", 130, more="/F 4"), "Code: printed"),
        (
            line((72, "Lands")),
            widget("Ch", "[(b)(c)]", 130, more="/Ff 2097152/Opt[[(a)(Austria)][(b)(Belgium)][(c)(Chile)]]"),
            "Lands Belgium, Chile",
        ),
        (
            line((72, "Land")),
            widget("Ch", "(b)", 130, more="/Ff 131072/Opt[[(a)(Austria)][(b)(Belgium)]]"),
            "Land Belgium",
        ),
        (
            line((72, "Land")),
            widget("Ch", "(Elsewhere)", 130, more="/Ff 393216/Opt[(Austria)(Belgium)]"),
            "Land Elsewhere",
        ),
        (line((-200, "Cut off")) + line((72, "Surname:")), widget("Tx", "(Smith)", 130), "Surname: Smith"),
    ],
)
def test_what_is_written_into_fields_is_text(stream: str, field: str, text: str) -> None:
    assert " ".join(read_pdf(pdf([stream], field)).text.split()) == " ".join(text.split())


def test_a_scan_with_a_field_over_it_is_told() -> None:
    content = read_pdf(pdf([IMAGE, TEXT], widget("Tx", "(Approved by Smith)", 130)))
    assert "Approved by Smith" in content.text
    assert [part.part for part in content.unread] == ["page 1"]


def test_an_xfa_form_is_told() -> None:
    data = pdf([line((72, "Please wait..."))])
    assert read_pdf(data).unread == ()
    dynamic = data.replace(b"/AcroForm<<", b"/NeedsRendering true/AcroForm<</XFA 3 0 R")
    assert [part.part for part in read_pdf(dynamic).unread] == ["form"]


Row = list[tuple[float, str]]
HEAD: Row = [(60, "Date"), (130, "Details"), (300, "Out"), (400, "In"), (500, "Balance")]
ROWS: list[Row] = [
    HEAD,
    [(60, "5 Mar"), (130, "Refund"), (405, "20.00"), (500, "1,420.00")],
    [(60, "6 Mar"), (130, "Shop"), (305, "20.00"), (500, "1,400.00")],
    [(60, "7 Mar"), (130, "Bank fee"), (310, "5.00"), (500, "1,395.00")],
]
PROSE = "The mill stood by the river and its wheel turned by day"


def test_amounts_stay_under_their_columns() -> None:
    text = read_pdf(pdf([line((60, "A statement."), y=740) + lines(*ROWS) + line((60, "The end."), y=600)])).text
    assert "| 5 Mar | Refund |  | 20.00 | 1,420.00 |" in text
    assert "| 7 Mar | Bank fee | 5.00 |  | 1,395.00 |" in text
    assert text.startswith("A statement.")
    assert text.endswith("The end.")


WRAPPED: list[Row] = [
    [(60, "5 Mar"), (130, "Refund of an"), (405, "20.00"), (500, "1,420.00")],
    [(130, "order of May")],
    *ROWS[2:],
]
WRAPS: dict[str, tuple[list[Row], str]] = {
    "in the middle": ([HEAD, *WRAPPED], "| 5 Mar | Refund of an order of May |  | 20.00 | 1,420.00 |"),
    "on three lines": (
        [HEAD, *WRAPPED[:2], [(130, "from Leeds")], *ROWS[2:]],
        "| 5 Mar | Refund of an order of May from Leeds |  | 20.00 | 1,420.00 |",
    ),
    "in the first column": (
        [HEAD, *ROWS[1:2], [(60, "and later")], *ROWS[2:]],
        "| 5 Mar and later | Refund |  | 20.00 | 1,420.00 |",
    ),
    "in the head": ([HEAD, [(300, "\\(EUR\\)")], *ROWS[1:]], "| Date | Details | Out (EUR) | In | Balance |"),
    "as a heading": ([*ROWS[:2], [(60, "Later")], *ROWS[2:]], "| Later |  |  |  |  |"),
}


@pytest.mark.parametrize("name", WRAPS)
def test_a_cell_on_several_lines_costs_no_row_its_columns(name: str) -> None:
    rows, wrapped = WRAPS[name]
    text = read_pdf(pdf([lines(*rows)])).text
    assert wrapped in text
    assert "| 6 Mar | Shop | 20.00 |  | 1,400.00 |" in text
    assert "| 7 Mar | Bank fee | 5.00 |  | 1,395.00 |" in text


def test_a_row_that_is_written_cell_by_cell_stays_one() -> None:
    (day, *before), wrap, *others = WRAPPED
    first = line(day, before[0]) + line(*wrap, y=682) + line(*before[1:])
    rows = "".join(line(*row, y=664 - 18 * number) for number, row in enumerate(others))
    text = read_pdf(pdf([line(*HEAD, y=718) + first + rows + line((60, "The end."), y=560)])).text
    assert "| 5 Mar | Refund of an order of May |  | 20.00 | 1,420.00 |" in text
    assert "| 7 Mar | Bank fee | 5.00 |  | 1,395.00 |" in text


@pytest.mark.parametrize(
    "stream",
    [
        lines(*[[(60, PROSE)] for _ in range(12)]),
        lines(*[[(60, "The mill stood by the river"), (330, "and its wheel turned by day")] for _ in range(12)]),
        lines(*[[(60, "one word"), (230, "two words"), (400, "three words")] for _ in range(12)]),
        lines(*[[(60, f"{number}."), (80, "The mill stood by the river in 1999")] for number in range(12)]),
        lines(*[[(60, f"Chapter {number}"), (500, f"{number * 7}")] for number in range(12)]),
        lines(*ROWS[:2]),
    ],
)
def test_prose_lists_and_columns_of_words_are_no_tables(stream: str) -> None:
    assert "|" not in read_pdf(pdf([stream])).text


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_figures_of_a_rotated_page_stay_apart(rotate: int) -> None:
    text = read_pdf(pdf([lines(*ROWS)], rotate=rotate)).text
    for figure in ("20.00", "1,420.00", "1,400.00", "5.00", "1,395.00"):
        assert figure in text.replace("|", " ").split()


@pytest.mark.parametrize(
    ("matrix", "x", "y", "across", "down"),
    [("0 1 -1 0", 100, 0, 18, 0), ("0 -1 1 0", 500, 700, -18, 0), ("-1 0 0 -1", 600, 100, 0, 18)],
)
def test_figures_of_turned_text_stay_apart(matrix: str, x: int, y: int, across: int, down: int) -> None:
    turn = [float(one) for one in matrix.split()]
    stream = "".join(
        f"BT /F1 12 Tf {matrix} {x + across * row + turn[0] * at} {y + down * row + turn[1] * at} Tm ({text}) Tj ET\n"
        for row, runs in enumerate(ROWS)
        for at, text in runs
    )
    words = read_pdf(pdf([stream])).text.replace("|", " ").split()
    figures = ["1,395.00", "1,400.00", "1,420.00", "20.00", "20.00", "5.00"]
    assert sorted(one for one in words if "." in one) == figures


CMAP = (
    "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange "
    "3 beginbfchar <0001> <06440627> <0002> <0645> <0003> <0633> endbfchar endcmap"
)


def glyphs(codes: str, *, mapped: bool) -> bytes:
    """A page of glyphs by their numbers, which have Unicode only where they are `mapped`."""
    stream = f"BT /F1 12 Tf 72 700 Td <{codes}> Tj ET"
    system = "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/DW 600"
    unicode = "/ToUnicode 7 0 R" if mapped else ""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Count 1/Kids[6 0 R]>>",
        f"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[4 0 R]{unicode}>>",
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont/X{system}>>",
        f"<</Length {len(stream)}>>stream\n{stream}\nendstream",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents 5 0 R>>",
        f"<</Length {len(CMAP)}>>stream\n{CMAP}\nendstream",
    ]
    return _numbered(objects, "")


def test_letters_without_unicode_are_told() -> None:
    content = read_pdf(glyphs("".join(f"{code:04x}" for code in range(36, 66)), mapped=False))
    assert [part.part for part in content.unread] == ["page 1"]
    assert "30 of 30 letters" in content.unread[0].reason


def test_lam_and_alef_of_one_sign_keep_their_order() -> None:
    content = read_pdf(glyphs("000200010003", mapped=True))
    assert content.text.strip() == "\u0633\u0644\u0627\u0645"
    assert content.unread == ()


def seconds(count: int) -> float:
    data = pdf([lines(*ROWS * 9)] * count)
    begin = time.process_time()
    content: Content = read_pdf(data)
    assert content.text.count("1,395.00") > 8 * count
    return time.process_time() - begin


def test_the_time_grows_with_the_pages() -> None:
    assert min(seconds(80) for _ in range(2)) < 3.5 * min(seconds(40) for _ in range(3)) + 0.1
