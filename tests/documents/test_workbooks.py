"""A workbook's text is all that a person sees of it, each value in its own column; what is lost is named."""

import io
import time
from collections.abc import Callable
from datetime import date, datetime
from datetime import time as clock
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment

from tasks.documents.document import Content
from tasks.documents.readers.kinds import kind_of
from tasks.documents.readers.read import read
from tasks.documents.readers.xlsx.formulas import moved
from tasks.documents.readers.xlsx.names import column_name, column_number
from tasks.documents.readers.xlsx.reader import read_xlsx
from tests.documents import made
from tests.documents.parts import CHART, DRAWN, LINKS, SHEET_DRAWN, SHEET_NAMES, relations, workbook

SAMPLES = Path(__file__).parent / "samples"
NO_VALUE = "a formula without a kept value: open it in a spreadsheet program and save it again"


def rows(xml: str, **options: Any) -> str:
    """The rows of a workbook of one sheet."""
    return read_xlsx(workbook({"S": xml}, **options)).text.removeprefix("# S\n\n")


def saved(fill: Callable[[Any], None]) -> Content:
    """A workbook of one sheet that openpyxl writes."""
    book: Any = Workbook()
    fill(book.active)
    file = io.BytesIO()
    book.save(file)
    return read_xlsx(file.getvalue())


@pytest.mark.parametrize("name", ["dimension_A1.xlsx"])
def test_a_sample_reads_as_a_person_sees_it(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    content = read(data, kind_of(data, name), name)
    assert content.text == (SAMPLES / f"{name}.txt").read_text()
    assert [part.part for part in content.unread] == ["Sheet!D2:D4"]


CELLS = '<row r="1"><c r="A1"><v>1</v></c><c r="C1"><v>3</v></c></row><row r="3"><c r="B3"><v>7</v></c></row>'
PLACES = [
    (f'<sheetData><row r="1"/></sheetData><dimension ref="A1"/><sheetData>{CELLS}</sheetData>', "1\t\t3\n\t7"),
    (CELLS, "1\t\t3\n\t7"),
    ("<row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row>", "1\t2\n3"),
    ('<row r="4"><c><v>1</v></c><c r="D4"><v>2</v></c><c><v>3</v></c></row>', "1\t\t\t2\t3"),
    ('<row r="2"><c r="A2"><v>2</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>', "1\n2"),
    ('<row r="1"><c r="C1"><v>3</v></c><c r="A1"><v>1</v></c></row>', "1\t\t3"),
    ('<row r="1"><c r="XFD1"><v>9</v></c></row>', "[XFD1] 9"),
    ('<row r="1048576"><c r="A1048576"><v>1</v></c><c r="XFD1048576"><v>9</v></c></row>', "1\t[XFD1048576] 9"),
    ('<row r="1"><c r="BM1"><v>9</v></c></row>', "\t" * 64 + "9"),
    ('<row r="1"><c r="BN1"><v>9</v></c><c r="BO1"><v>8</v></c></row>', "[BN1] 9\t8"),
    ('<row r="1"><c r="a1"><v>1</v></c><c r="$C$1"><v>3</v></c></row>', "1\t\t3"),
    ('<row r="x"><c r="?"><v>1</v></c></row>', "1"),
    ('<row r="1" hidden="1"><c r="A1"><v>1</v></c></row>', "1"),
]


@pytest.mark.parametrize(("xml", "shown"), PLACES)
def test_every_cell_is_read_in_its_column_whatever_range_the_file_states(xml: str, shown: str) -> None:
    assert rows(xml) == shown


SHARED = (
    "<si><t>plain</t></si><si><r><t>rich </t></r><r><rPr><b/></rPr><t>text</t></r></si>"
    '<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si><si><t>two\nlines</t></si><si><t>a_x000D_b</t></si>'
)
VALUES = [
    ('<c t="s"><v>0</v></c>', "plain"),
    ('<c t="s"><v>1</v></c>', "rich text"),
    ('<c t="s"><v>2</v></c>', "東京"),
    ('<c t="s"><v>3</v></c>', "two lines"),
    ('<c t="s"><v>4</v></c>', "a b"),
    ('<c t="inlineStr"><is><t>01234</t></is></c>', "01234"),
    ('<c t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c>', "ab"),
    ('<c t="b"><v>1</v></c>', "TRUE"),
    ('<c t="b"><v>0</v></c>', "FALSE"),
    ('<c t="e"><v>#N/A</v></c>', "#N/A"),
    ('<c t="str"><f>A2</f><v>kept</v></c>', "kept"),
    ("<c><f>1+1</f><v>2</v></c>", "2"),
    ('<c><f t="array" ref="A1:A2">B1:B2</f><v>5</v></c>', "5"),
    ('<c s="1"><v>1234</v></c>', "01234"),
    ('<c s="2"><v>0.5</v></c>', "50%"),
    ('<c s="3"><v>45356</v></c>', "2024-03-05"),
    ('<c s="3" t="d"><v>2024-03-05T00:00:00.000</v></c>', "2024-03-05"),
    ('<c t="d"><v>2024-03-05</v></c>', "2024-03-05"),
    ('<c s="0" t="d"><v>2024-03-05</v></c>', "2024-03-05"),
    ('<c t="s"><v></v></c>', ""),
    ('<c s="4" t="d"><v>T18:30:00</v></c>', "18:30"),
    ('<c s="99"><v>7</v></c>', "7"),
    ("<c><v>0.30000000000000004</v></c>", "0.3"),
]


@pytest.mark.parametrize(("cell", "shown"), VALUES)
def test_a_value_is_read_as_it_is_shown(cell: str, shown: str) -> None:
    content = read_xlsx(workbook({"S": f"<row>{cell}</row>"}, texts=SHARED, formats=FORMATS))
    assert content.text == f"# S\n\n{shown}"
    assert not content.unread


FORMATS = ["00000", "0%", "yyyy-mm-dd", "hh:mm"]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("main", ["xl/workbook.xml", "xl/workbook2.xml"])
def test_a_workbook_is_read_in_both_forms_of_the_standard_and_by_its_relationships(main: str, *, strict: bool) -> None:
    data = workbook({"S": '<row><c s="3"><v>45356</v></c></row>'}, formats=FORMATS, strict=strict, main=main)
    assert read_xlsx(data).text == "# S\n\n2024-03-05"


def test_dates_of_1904_are_read_as_such() -> None:
    old = '<workbookPr date1904="1"/>'
    assert rows('<row><c s="3"><v>43894</v></c></row>', formats=FORMATS, properties=old) == "2024-03-05"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (date(2024, 3, 5), "2024-03-05"),
        (datetime(2024, 3, 5, 18, 30), "2024-03-05 18:30:00"),  # noqa: DTZ001 - a workbook has no zones
        (clock(9, 30), "9:30:00"),
        (True, "TRUE"),
        (1.5, "1.5"),
        (10**14, "100000000000000"),
        ("01234", "01234"),
        (" spaced ", " spaced "),
        ("=1+1", "=1+1"),
        ("tab\there", "tab here"),
    ],
)
def test_what_another_program_wrote_is_read_as_it_shows(value: object, shown: str) -> None:
    def fill(sheet: Any) -> None:
        sheet["A1"] = value

    assert saved(fill).text == f"# Sheet\n\n{shown}"


FORMULAS = [
    ("<row><c><f>SUM(B1:B3)</f></c></row>", "=SUM(B1:B3)", ["S!A1"]),
    ("<row><c><f>B2*C2</f><v></v></c></row>", "=B2*C2", ["S!A1"]),
    ('<row><c t="str"><f>""</f><v></v></c></row>', "", []),
    ("<row><c><f>1</f></c></row><row><c><f>2</f></c></row><row><c><f>3</f></c></row>", "=1\n=2\n=3", ["S!A1:A3"]),
    ("<row><c><f>1</f></c><c><f>2</f></c></row>", "=1\t=2", ["S!A1", "S!B1"]),
    (
        '<row><c><f t="shared" ref="A1:A2" si="0">B1*$C$1</f></c></row><row><c><f t="shared" si="0"/></c></row>',
        "=B1*$C$1\n=B2*$C$1",
        ["S!A1:A2"],
    ),
    ('<row><c><f t="shared" si="7"/></c></row>', "=", ["S!A1"]),
    ('<row><c><f t="array" ref="A1">SUM(B1:B2*C1:C2)</f></c></row>', "=SUM(B1:B2*C1:C2)", ["S!A1"]),
    ("<row>" + "<c><f>1</f></c><c/>" * 6 + "</row>", "=1" + "\t\t=1" * 5, ["S, 6 cells (A1 to K1)"]),
    ("<row><c><f>1</f></c><c><v>2</v></c></row>", "=1\t2", ["S!A1"]),
]


@pytest.mark.parametrize(("xml", "shown", "parts"), FORMULAS)
def test_a_formula_without_a_value_is_shown_and_named(xml: str, shown: str, parts: list[str]) -> None:
    content = read_xlsx(workbook({"S": xml}))
    assert content.text == f"# S\n\n{shown}"
    assert [(part.part, part.reason) for part in content.unread] == [(part, NO_VALUE) for part in parts]
    assert all(content.text[part.start :].lstrip("\n\t0123456789").startswith("=") for part in content.unread)


UNCALCULATED = '<calcPr calcId="1" fullCalcOnLoad="{}"/>'


@pytest.mark.parametrize(
    ("cell", "says", "shown"),
    [
        ("<c><f>A2</f><v>0</v></c>", "1", "=A2"),
        ("<c><f>A2</f><v>0</v></c>", "true", "=A2"),
        ("<c><f>A2</f><v>0</v></c>", "0", "0"),
        ("<c><f>A2</f><v>5</v></c>", "1", "5"),
        ('<c t="str"><f>A2</f><v>0</v></c>', "1", "0"),
        ('<c t="b"><f>A2</f><v>1</v></c>', "1", "TRUE"),
        ("<c><v>0</v></c>", "1", "0"),
    ],
)
def test_the_zeros_of_a_program_that_cannot_calculate_are_no_values(cell: str, says: str, shown: str) -> None:
    content = read_xlsx(workbook({"S": f"<row>{cell}</row>"}, properties=UNCALCULATED.format(says)))
    assert content.text == f"# S\n\n{shown}"
    assert [part.part for part in content.unread] == ["S!A1"] * shown.startswith("=")


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        ("A1", "B3"),
        ("$A1", "$A3"),
        ("A$1", "B$1"),
        ("$A$1", "$A$1"),
        ("SUM(A1:B2)", "SUM(B3:C4)"),
        ('A1&"A1"', 'B3&"A1"'),
        ("'A1'!A1", "'A1'!B3"),
        ("LOG10(A1)", "LOG10(B3)"),
        ("Data!Z9", "Data!AA11"),
        ("A1_rate*2", "A1_rate*2"),
    ],
)
def test_a_shared_formula_moves_with_its_cell(formula: str, shown: str) -> None:
    assert moved(formula, 1, 2) == shown


@given(st.integers(1, 16_384))
def test_a_columns_name_leads_back_to_it(number: int) -> None:
    assert column_number(column_name(number)) == number


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_hidden_sheets_are_read_and_said_to_be_so(state: str) -> None:
    data = workbook({"A": "<row><c><v>1</v></c></row>", "B": "<row><c><v>2</v></c></row>"}, states={"B": state})
    assert read_xlsx(data).text == "# A\n\n1\n\f# B (hidden sheet)\n\n2"


def test_each_sheet_is_one_section_whatever_its_cells_hold() -> None:
    content = read_xlsx(made.xlsx(Alpha=[["# not a heading"], ["---"]], Beta=[["b"]]))
    assert [(content.text[item.start :][:7], item.title) for item in content.sections] == [
        ("# Alpha", "Alpha"),
        ("# Beta\n", "Beta"),
    ]


def test_what_stands_on_a_sheet_is_read_after_its_cells() -> None:
    def fill(sheet: Any) -> None:
        for row in (["Year", "EUR m"], ["2024", 4.3], ["2025", 2.5]):
            sheet.append(row)
        sheet["B2"].comment = Comment("Ann: audited", "Ann")
        sheet["A3"].hyperlink = "https://example.org/x"
        sheet.merge_cells("A5:B6")
        sheet["A5"] = "merged"
        sheet["C5"] = "beside"

    assert saved(fill).text == (
        "# Sheet\n\nYear\tEUR m\n2024\t4.3\n2025\t2.5\nmerged\t\tbeside\n\nComment on B2 (Ann): audited"
    )


def test_a_chart_is_a_table_of_the_values_that_the_file_keeps() -> None:
    points = '<c:pt idx="0"><c:v>{}</c:v></c:pt><c:pt idx="1"><c:v>{}</c:v></c:pt>'
    chart = (
        f'<c:chartSpace xmlns:c="{CHART}"><c:chart><c:plotArea><c:barChart><c:ser>'
        "<c:tx><c:strRef><c:strCache><c:pt idx='0'><c:v>Revenue</c:v></c:pt></c:strCache></c:strRef></c:tx>"
        f"<c:cat><c:strRef><c:strCache>{points.format(2024, 2025)}</c:strCache></c:strRef></c:cat>"
        f"<c:val><c:numRef><c:numCache>{points.format(4.3, 2.5)}</c:numCache></c:numRef></c:val>"
        "</c:ser></c:barChart></c:plotArea></c:chart></c:chartSpace>"
    )
    more = _drawn(f'<xdr:graphicFrame><c:chart xmlns:c="{CHART}" r:id="r1"/></xdr:graphicFrame>')
    more["xl/drawings/_rels/drawing1.xml.rels"] = relations(("r1", "chart", "../charts/chart1.xml"))
    assert "| 2024 | 4.3 |\n| 2025 | 2.5 |" in rows("", more=more | {"xl/charts/chart1.xml": chart})
    lost = read_xlsx(workbook({"S": "<row><c><v>1</v></c></row>"}, more=more))
    assert lost.text == "# S\n\n1"
    assert [part.part for part in lost.unread] == ["sheet S, chart (xl/charts/chart1.xml)"]


def test_a_chart_whose_values_are_only_in_the_cells_hides_none_of_them() -> None:
    def fill(sheet: Any) -> None:
        for row in (["Year", "EUR m"], [2024, 4.3]):
            sheet.append(row)
        chart: Any = BarChart()
        chart.add_data(Reference(sheet, 2, 1, 2, 2), titles_from_data=True)
        sheet.add_chart(chart, "D2")

    assert "2024\t4.3" in saved(fill).text


def _drawn(*shapes: str) -> dict[str, str]:
    anchors = (
        f"<xdr:twoCellAnchor><xdr:from><xdr:col>0</xdr:col><xdr:row>{9 - at}</xdr:row></xdr:from>{shape}"
        "</xdr:twoCellAnchor>"
        for at, shape in enumerate(shapes)
    )
    return {
        "xl/drawings/drawing1.xml": f'<xdr:wsDr xmlns:xdr="{SHEET_DRAWN}" xmlns:a="{DRAWN}" xmlns:r="{LINKS}">'
        f"{''.join(anchors)}</xdr:wsDr>",
        "xl/worksheets/_rels/sheet1.xml.rels": relations(("d", "drawing", "../drawings/drawing1.xml")),
    }


def test_text_boxes_are_read_by_where_they_stand() -> None:
    boxes = (f"<xdr:sp><xdr:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></xdr:txBody></xdr:sp>" for text in "ab")
    assert rows("<row><c><v>1</v></c></row>", more=_drawn(*boxes)) == "1\n\nb\n\na"


def test_check_boxes_are_read_with_their_state() -> None:
    controls = "".join(
        f'<v:shape><v:textbox><div><font>{text}</font></div></v:textbox><x:ClientData ObjectType="{kind}">{state}'
        "</x:ClientData></v:shape>"
        for text, kind, state in [
            ("Tea", "Checkbox", "<x:Checked>1</x:Checked>"),
            ("Coffee", "Checkbox", ""),
            ("Yes", "Radio", "<x:Checked>1</x:Checked>"),
            ("Go", "Button", ""),
            ("a note", "Note", ""),
        ]
    )
    more = {
        "xl/drawings/v1.vml": '<xml xmlns:v="urn:schemas-microsoft-com:vml" '
        f'xmlns:x="urn:schemas-microsoft-com:office:excel">{controls}</xml>',
        "xl/worksheets/_rels/sheet1.xml.rels": relations(("v", "vmlDrawing", "../drawings/v1.vml")),
    }
    assert rows("", more=more) == "☒ Tea\n\n☐ Coffee\n\n☒ Yes\n\nGo"


def test_a_conversation_is_read_once_with_its_authors() -> None:
    threads = '<t:threadedComment ref="B2" personId="p1"><t:text>Why?</t:text></t:threadedComment>'
    old = '<comment ref="B2" authorId="0"><text><t>[Threaded comment] Why?</t></text></comment>'
    more = {
        "xl/threads.xml": f'<t:ThreadedComments xmlns:t="urn:t">{threads}</t:ThreadedComments>',
        "xl/comments1.xml": f'<comments xmlns="{SHEET_NAMES}"><commentList>{old}</commentList></comments>',
        "xl/persons.xml": '<l xmlns="urn:t"><person id="p1" displayName="Ann"/></l>',
        "xl/worksheets/_rels/sheet1.xml.rels": relations(
            ("c", "comments", "../comments1.xml"), ("t", "threadedComment", "../threads.xml")
        ),
        "xl/_rels/workbook.xml.rels": relations(
            ("r1", "worksheet", "worksheets/sheet1.xml"), ("p", "person", "persons.xml")
        ),
    }
    assert rows("", more=more) == "Comment on B2 (Ann): Why?"


GOOD = '<row><c t="s"><v>0</v></c></row>'
DAMAGES: list[tuple[dict[str, Any], str, str]] = [
    ({"without": ["xl/worksheets/sheet2.xml"]}, "word", "sheet B"),
    ({"more": {"xl/worksheets/sheet2.xml": ""}}, "word", "sheet B, from there on"),
    ({"more": {"xl/worksheets/sheet2.xml": "not xml"}}, "word", "sheet B, from there on"),
    (
        {"more": {"xl/worksheets/sheet2.xml": f'<worksheet xmlns="{SHEET_NAMES}"><sheetData>{GOOD}<row><c'}},
        "word",
        "sheet B, from there on",
    ),
    ({"without": ["xl/sharedStrings.xml"]}, "# A", "texts of cells (shared strings)"),
    ({"more": {"xl/sharedStrings.xml": "<sst"}}, "# A", "texts of cells (shared strings)"),
    ({"without": ["xl/styles.xml"]}, "word", "the forms of numbers and dates (styles)"),
    ({"more": {"xl/styles.xml": "<?"}}, "word", "the forms of numbers and dates (styles)"),
    ({"texts": ""}, "# A", "1 cells of sheet A"),
    (
        {"more": {"xl/worksheets/_rels/sheet1.xml.rels": relations(("c", "comments", "gone.xml"))}},
        "word",
        "sheet A, comments (xl/worksheets/gone.xml)",
    ),
    (
        {"more": {"xl/worksheets/_rels/sheet1.xml.rels": relations(("c", "drawing", "gone.xml"))}},
        "word",
        "sheet A, drawing (xl/worksheets/gone.xml)",
    ),
]


@pytest.mark.parametrize(("options", "kept", "part"), DAMAGES)
def test_one_bad_part_costs_no_other(options: dict[str, Any], kept: str, part: str) -> None:
    content = read_xlsx(workbook({"A": GOOD, "B": GOOD}, **({"texts": "<si><t>word</t></si>"} | options)))
    assert kept in content.text
    assert part in [unread.part for unread in content.unread]


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.tuples(st.integers(1, 30), st.integers(1, 12)), st.text(st.characters(categories=["L", "N"]), min_size=1)
    )
)
def test_each_cell_stands_under_its_column(cells: dict[tuple[int, int], str]) -> None:
    def fill(sheet: Any) -> None:
        for (row, column), text in cells.items():
            sheet.cell(row, column).value = f"'{text}"

    lines = saved(fill).text.split("\n")[2:]
    found = [(column, text) for line in lines for column, text in enumerate(line.split("\t"), 1) if text]
    assert found == [(column, f"'{text}") for (_, column), text in sorted(cells.items())]


def test_the_cost_of_far_cells_is_that_of_cells() -> None:
    far = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    start = time.perf_counter()
    assert rows(far) == "1\n[XFD1048576] 2"
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    "cell", ["<c><v>{}</v></c>", '<c s="1"><v>{}</v></c>', '<c t="str"><v>{}</v></c>', "<c><f>{}</f></c>"]
)
def test_the_cost_is_linear_in_the_rows(cell: str) -> None:
    def cost(count: int) -> float:
        data = workbook({"S": "".join(f"<row>{cell.format(at)}</row>" for at in range(count))}, formats=["#,##0.0"])
        best = []
        for _ in range(3):
            start = time.perf_counter()
            read_xlsx(data)
            best.append(time.perf_counter() - start)
        return min(best)

    assert cost(8000) < 4 * cost(4000) + 0.05
