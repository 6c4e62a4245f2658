import time
import zipfile
from collections.abc import Mapping
from io import BytesIO

import pytest

from tasks.base.errors import DocumentFailed
from tasks.documents.readers.docx.charts import shown
from tasks.documents.readers.docx.reader import read_docx
from tasks.documents.readers.read import read as read_file
from tests.documents import made
from tests.documents.word import XMLNS, field, p, r, root, table, word

HTML, RTF = b"<html><body><h1>Annex</h1><p>From HTML.</p></body></html>", b"{\\rtf1 From RTF.}"


def refer(kind: str, number: int = 2) -> str:
    return f'<w:r><w:{kind}Reference w:id="{number}"/></w:r>'


def notes(kind: str, *texts: str, more: str = "") -> str:
    held = "".join(f'<w:{kind} w:id="{number}"{more}>{p(text)}</w:{kind}>' for number, text in enumerate(texts, 2))
    separator = f'<w:{kind} w:type="separator" w:id="-1">{p("no note")}</w:{kind}>'
    return root(f"{kind}s", separator + held)


def section(*references: str, more: str = "") -> str:
    return f"<w:sectPr>{''.join(references)}{more}</w:sectPr>"


def margin(kind: str, relation: str, type_: str = "default") -> str:
    return f'<w:{kind}Reference w:type="{type_}" r:id="{relation}"/>'


def page(told: str) -> str:
    return f'<w:fldSimple w:instr=" {told} ">{r("3")}</w:fldSimple>'


def drawn(inner: str) -> str:
    return p(f"<w:r><w:drawing><a:graphic><a:graphicData>{inner}</a:graphicData></a:graphic></w:drawing></w:r>")


def points(name: str, kind: str, *values: str, code: str = "") -> str:
    held = "".join(f'<c:pt idx="{place}"><c:v>{value}</c:v></c:pt>' for place, value in enumerate(values))
    return f"<c:{name}><c:{kind}Ref><c:{kind}Cache>{code}{held}</c:{kind}Cache></c:{kind}Ref></c:{name}>"


def series(name: str, categories: str, values: str) -> str:
    held = f"<c:strRef><c:strCache><c:pt idx='0'><c:v>{name}</c:v></c:pt></c:strCache></c:strRef>"
    return f"<c:ser><c:tx>{held}</c:tx>{categories}{values}</c:ser>"


def chart(*inner: str, title: str = "Turnover") -> str:
    words = f"<c:tx><c:rich><a:p><a:r><a:t>{title}</a:t></a:r></a:p></c:rich></c:tx>"
    head = f"<c:title>{words}</c:title>" if title else ""
    plot = f"<c:plotArea><c:barChart>{''.join(inner)}</c:barChart></c:plotArea>"
    return f"<c:chartSpace {XMLNS}><c:chart>{head}{plot}</c:chart></c:chartSpace>"


YEARS = points("cat", "str", "2024", "2025")
NEW_CHART = (
    f"<cx:chartSpace {XMLNS}><cx:chartData><cx:data id='0'><cx:strDim type='cat'><cx:lvl><cx:pt idx='0'>Start</cx:pt>"
    "<cx:pt idx='1'>End</cx:pt></cx:lvl></cx:strDim><cx:numDim type='val'><cx:lvl><cx:pt idx='0'>100</cx:pt>"
    "<cx:pt idx='1'>70.5</cx:pt></cx:lvl></cx:numDim></cx:data></cx:chartData><cx:chart><cx:plotArea><cx:series>"
    "<cx:tx><cx:txData><cx:v>Cash</cx:v></cx:txData></cx:tx><cx:dataId val='0'/></cx:series></cx:plotArea></cx:chart>"
    "</cx:chartSpace>"
)
LEVELS = (
    "<c:cat><c:multiLvlStrRef><c:multiLvlStrCache><c:lvl><c:pt idx='0'><c:v>Q1</c:v></c:pt>"
    "<c:pt idx='1'><c:v>Q2</c:v></c:pt></c:lvl><c:lvl><c:pt idx='0'><c:v>2025</c:v></c:pt></c:lvl>"
    "</c:multiLvlStrCache></c:multiLvlStrRef></c:cat>"
)
CODE = "<c:formatCode>{}</c:formatCode>"


def point(key: str, text: str, kind: str = "node") -> str:
    return f'<dgm:pt modelId="{key}" type="{kind}"><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>'


def link(above: str, below: str, order: int, kind: str = "parOf") -> str:
    return f'<dgm:cxn type="{kind}" srcId="{above}" destId="{below}" srcOrd="{order}"/>'


DIAGRAM = (
    f"<dgm:dataModel {XMLNS}><dgm:ptLst>{point('d', '', 'doc')}{point('2', 'Sell')}{point('1', 'Buy')}"
    f"{point('3', 'Cheaply')}{point('x', 'no shape', 'pres')}</dgm:ptLst><dgm:cxnLst>{link('d', '1', 0)}"
    f"{link('d', '2', 1)}{link('1', '3', 0)}{link('2', 'x', 0, 'presOf')}</dgm:cxnLst></dgm:dataModel>"
)
CHART, SHAPES = drawn('<c:chart r:id="c"/>'), drawn('<dgm:relIds r:dm="d"/>')
CHARTS, DIAGRAMS = [("c", "chart", "charts/chart1.xml")], [("d", "diagramData", "diagrams/data1.xml")]
CHUNK = '<w:altChunk r:id="k"/>'


@pytest.mark.parametrize(
    ("body", "more", "text"),
    [
        (
            p("Text", refer("footnote"), " goes", refer("footnote", 3)),
            {"parts": {"footnotes.xml": notes("footnote", "One.", "Two.")}},
            "Text[^1] goes[^2]\n\n[^1]: One.\n\n[^2]: Two.",
        ),
        (
            p("b", refer("footnote", 3), "a", refer("footnote", 2)),
            {"parts": {"footnotes.xml": notes("footnote", "Two.", "One.")}},
            "b[^1]a[^2]\n\n[^1]: One.\n\n[^2]: Two.",
        ),
        (
            p("Text", refer("endnote")),
            {"parts": {"endnotes.xml": notes("endnote", "The end.")}},
            "Text[^i]\n\n[^i]: The end.",
        ),
        (
            p("Text", refer("comment")),
            {"parts": {"comments.xml": notes("comment", "Really?", more=' w:author="Ann"')}},
            "Text[^c1]\n\n[^c1]: Comment by Ann: Really?",
        ),
        (
            table(("a", "b")).replace(r("a"), r("a") + refer("footnote")),
            {"parts": {"footnotes.xml": notes("footnote", "In a cell.")}},
            "| a[^1] | b |\n| --- | --- |\n\n[^1]: In a cell.",
        ),
        (
            p("Body") + section(margin("header", "h"), margin("footer", "f")),
            {
                "parts": {
                    "header1.xml": root("hdr", p("Contract 4711")),
                    "footer1.xml": root("ftr", p("Mill Ltd, page ", page("PAGE"))),
                },
                "relations": [("h", "header", "header1.xml"), ("f", "footer", "footer1.xml")],
            },
            "Contract 4711\n\nBody\n\nMill Ltd, page 3",
        ),
        (
            p("Body", pr=section(margin("header", "h"))) + section(margin("header", "h2")),
            {
                "parts": {"header1.xml": root("hdr", p("Same")), "header2.xml": root("hdr", p("Same"))},
                "relations": [("h", "header", "header1.xml"), ("h2", "header", "header2.xml")],
            },
            "Same\n\nBody",
        ),
        (
            p("Body") + section(margin("footer", "f")),
            {
                "parts": {"footer1.xml": root("ftr", p("Page ", page("PAGE"), " of ", page("NUMPAGES")))},
                "relations": [("f", "footer", "footer1.xml")],
            },
            "Body",
        ),
        (
            p("Body") + section(margin("header", "h", "first"), margin("header", "e", "even")),
            {
                "parts": {"header1.xml": root("hdr", p("Not shown")), "header2.xml": root("hdr", p("Neither"))},
                "relations": [("h", "header", "header1.xml"), ("e", "header", "header2.xml")],
            },
            "Body",
        ),
        (
            p("Body") + section(margin("header", "h", "first"), margin("header", "e", "even"), more="<w:titlePg/>"),
            {
                "parts": {
                    "header1.xml": root("hdr", p("First")),
                    "header2.xml": root("hdr", p("Even")),
                    "settings.xml": root("settings", "<w:evenAndOddHeaders/>"),
                },
                "relations": [("h", "header", "header1.xml"), ("e", "header", "header2.xml")],
            },
            "First\n\nEven\n\nBody",
        ),
        (
            CHART,
            {
                "parts": {
                    "charts/chart1.xml": chart(
                        series("Revenue", YEARS, points("val", "num", "4.2999999999999998", "2.5")),
                        series("Cost", YEARS, points("val", "num", "3", "1e2")),
                    )
                },
                "relations": CHARTS,
            },
            "Turnover\n\n|  | Revenue | Cost |\n| --- | --- | --- |\n| 2024 | 4.3 | 3 |\n| 2025 | 2.5 | 100 |",
        ),
        (
            CHART,
            {
                "parts": {
                    "charts/chart1.xml": chart(
                        series("Share", YEARS, points("val", "num", "0.35", "0.5", code=CODE.format("0%"))), title=""
                    )
                },
                "relations": CHARTS,
            },
            "|  | Share |\n| --- | --- |\n| 2024 | 35% |\n| 2025 | 50% |",
        ),
        (
            CHART,
            {
                "parts": {
                    "charts/chart1.xml": chart(series("Sales", LEVELS, points("val", "num", "1", "2")), title="")
                },
                "relations": CHARTS,
            },
            "|  | Sales |\n| --- | --- |\n| 2025 Q1 | 1 |\n| 2025 Q2 | 2 |",
        ),
        (
            CHART,
            {
                "parts": {
                    "charts/chart1.xml": chart(
                        series("s", points("xVal", "num", "1", "2"), points("yVal", "num", "3", "4")),
                        series("u", points("xVal", "num", "5"), points("yVal", "num", "6")),
                        title="",
                    )
                },
                "relations": CHARTS,
            },
            "|  | s |\n| --- | --- |\n| 1 | 3 |\n| 2 | 4 |\n\n|  | u |\n| --- | --- |\n| 5 | 6 |",
        ),
        (
            drawn('<cx:chart r:id="c"/>'),
            {"parts": {"charts/chart1.xml": NEW_CHART}, "relations": CHARTS},
            "|  | Cash |\n| --- | --- |\n| Start | 100 |\n| End | 70.5 |",
        ),
        (
            table(("a", "b")).replace(p("b"), CHART),
            {
                "parts": {"charts/chart1.xml": chart(series("Sales", YEARS, points("val", "num", "1", "2")))},
                "relations": CHARTS,
            },
            "| a | Turnover  / Sales; 2024 / 1; 2025 / 2 |\n| --- | --- |",
        ),
        (SHAPES, {"parts": {"diagrams/data1.xml": DIAGRAM}, "relations": DIAGRAMS}, "- Buy\n  - Cheaply\n- Sell"),
        (CHUNK, {"parts": {"a.html": HTML}, "relations": [("k", "aFChunk", "a.html")]}, "# Annex\n\nFrom HTML."),
        (
            p("Text") + CHUNK,
            {"parts": {"a.dat": HTML}, "relations": [("k", "aFChunk", "a.dat")], "types": {"a.dat": "text/html"}},
            "Text\n\n# Annex\n\nFrom HTML.",
        ),
        (CHUNK, {"parts": {"a.txt": b"From text."}, "relations": [("k", "aFChunk", "a.txt")]}, "From text."),
        (
            CHUNK,
            {"parts": {"b.docx": word(p("Within", style="Heading1"))}, "relations": [("k", "aFChunk", "b.docx")]},
            "# Within",
        ),
    ],
)
def test_text_of_other_parts_is_read_where_it_belongs(body: str, more: dict[str, object], text: str) -> None:
    content = read_docx(word(body, **more))  # type: ignore[arg-type]
    assert content.text.strip() == text
    assert content.unread == ()
    for found in content.sections:
        assert content.text[found.start :].startswith(f"# {found.title}")


GOOD_NOTES = notes("footnote", "One.")
HEADER = [("h", "header", "header1.xml")]


@pytest.mark.parametrize(
    ("body", "parts", "relations", "part", "text"),
    [
        (p("Text", refer("footnote")), {"footnotes.xml": "<broken"}, [], "footnotes (word/footnotes.xml)", "Text[^1]"),
        (p("Text", refer("footnote")), {}, [], "footnotes", "Text[^1]"),
        (p("Text", refer("footnote", 9)), {"footnotes.xml": GOOD_NOTES}, [], "footnote [^1]", "Text[^1]"),
        (
            p("Text", refer("footnote")),
            {"footnotes.xml": GOOD_NOTES[:-20]},
            [],
            "footnotes (word/footnotes.xml)",
            "One.",
        ),
        (p("Text", refer("endnote")), {"endnotes.xml": b"\0"}, [], "endnotes (word/endnotes.xml)", "Text[^i]"),
        (p("Text", refer("comment")), {"comments.xml": ""}, [], "comments (word/comments.xml)", "Text[^c1]"),
        (p("Text", style="Heading1"), {"styles.xml": "no XML"}, [], "styles (word/styles.xml)", "# Text"),
        (p("Text"), {}, [("s", "styles", "styles.xml")], "styles (word/styles.xml)", "Text"),
        (
            p("Text", pr='<w:numPr><w:numId w:val="1"/></w:numPr>'),
            {"numbering.xml": "<w:numbering"},
            [],
            "numbers of lists (word/numbering.xml)",
            "Text",
        ),
        (p("Text", pr='<w:numPr><w:numId w:val="1"/></w:numPr>'), {}, [], "numbers of lists", "Text"),
        (
            p("Text") + section(margin("header", "h")),
            {"header1.xml": "<a><b>"},
            HEADER,
            "header (word/header1.xml)",
            "Text",
        ),
        (p("Text") + section(margin("header", "h")), {}, HEADER, "header (word/header1.xml)", "Text"),
        (p("Text") + section(margin("footer", "f")), {}, [], "footer (f)", "Text"),
        (p("Text") + CHART, {"charts/chart1.xml": ""}, CHARTS, "chart (word/charts/chart1.xml)", "Text"),
        (
            p("Text") + CHART,
            {"charts/chart1.xml": chart(series("s", "", "<c:val><c:numRef><c:f>Sheet1!A1</c:f></c:numRef></c:val>"))},
            CHARTS,
            "chart (word/charts/chart1.xml)",
            "Text",
        ),
        (p("Text") + CHART, {}, CHARTS, "chart (word/charts/chart1.xml)", "Text"),
        (p("Text") + SHAPES, {}, [], "diagram (d)", "Text"),
        (p("Text") + CHUNK, {"a.rtf": RTF}, [("k", "aFChunk", "a.rtf")], "inserted file (word/a.rtf)", "Text"),
        (p("Text") + CHUNK, {}, [], "inserted file (k)", "Text"),
        (p("Text") + '<w:subDoc r:id="s"/>', {}, [], "subdocument (no name)", "Text"),
        (
            p("Text", '<w:r><w:object><o:OLEObject ProgID="Equation.3" ObjectID="_1"/></w:object></w:r>'),
            {},
            [],
            "object (Equation.3, _1)",
            "Text",
        ),
    ],
)
def test_one_bad_part_is_named_and_the_rest_is_read(
    body: str, parts: Mapping[str, str], relations: list[tuple[str, str, str]], part: str, text: str
) -> None:
    content = read_docx(word(body + p("Last words."), parts, relations))
    assert text in content.text
    assert "Last words." in content.text
    assert [unread.part for unread in content.unread] == [part]
    assert content.unread[0].reason
    assert 0 <= content.unread[0].start <= len(content.text)


@pytest.mark.parametrize(
    ("parts", "relations"),
    [
        ({"media/image1.png": b"no picture"}, [("i", "image", "media/image1.png")]),
        ({}, [("i", "image", "media/gone.png")]),
        ({}, [("i", "theme", "theme/gone.xml")]),
        ({"fontTable.xml": "<broken"}, [("i", "fontTable", "fontTable.xml")]),
        ({}, [("", "", "")]),
        ({"customXml/item1.xml": "<x"}, [("i", "customXml", "customXml/item1.xml")]),
        ({"footnotes.xml": "<broken"}, []),
        ({"settings.xml": "<broken"}, []),
        ({"webSettings.xml": "\0"}, [("i", "webSettings", "webSettings.xml")]),
        ({"docProps/core.xml": "<"}, []),
        ({"embeddings/x.bin": "\0"}, [("i", "oleObject", "embeddings/x.bin")]),
    ],
)
def test_a_bad_part_that_shows_no_text_is_no_loss(
    parts: Mapping[str, str], relations: list[tuple[str, str, str]]
) -> None:
    content = read_docx(word(p("Text"), parts, relations))
    assert (content.text, content.unread) == ("Text\n", ())


def test_a_damaged_text_is_read_up_to_its_damage() -> None:
    archive = zipfile.ZipFile(BytesIO(word(p("First") + p("Second") + p("Third"))))
    members = {name: archive.read(name) for name in archive.namelist()}
    members["word/document.xml"] = members["word/document.xml"].split(b"Third")[0]
    content = read_docx(made.zipped(members))
    assert content.text.startswith("First\n\nSecond")
    assert [(unread.part, unread.start > 10) for unread in content.unread] == [
        ("the text from there on (word/document.xml)", True)
    ]
    members["word/document.xml"] = b"no XML"
    with pytest.raises(DocumentFailed, match="damaged"):
        read_docx(made.zipped(members))


def test_strict_open_xml_is_read_as_the_transitional_form_is() -> None:
    body = p("Title", style="Heading1") + table(("a", "b"), ("1", "2")) + p("x", refer("footnote"))
    data = word(body, {"footnotes.xml": GOOD_NOTES})
    archive = zipfile.ZipFile(BytesIO(data))
    strict = {
        name: archive.read(name)
        .replace(b"schemas.openxmlformats.org/", b"purl.oclc.org/ooxml/")
        .replace(b"/2006/", b"/")
        if name.startswith("word/")
        else archive.read(name).replace(
            b"schemas.openxmlformats.org/officeDocument/2006", b"purl.oclc.org/ooxml/officeDocument"
        )
        for name in archive.namelist()
    }
    strict["word/_rels/document.xml.rels"] = archive.read("word/_rels/document.xml.rels").replace(
        b"schemas.openxmlformats.org/officeDocument/2006", b"purl.oclc.org/ooxml/officeDocument"
    )
    assert b"purl.oclc.org/ooxml/wordprocessingml/main" in strict["word/document.xml"]
    assert read_file(made.zipped(strict), "docx", "a.docx") == read_docx(data)


def test_documents_within_documents_are_read_only_so_deep() -> None:
    data = word(p("Innermost"))
    for _ in range(4):
        data = word(p("Outer") + CHUNK, {"b.docx": data}, [("k", "aFChunk", "b.docx")])
    content = read_docx(data)
    assert content.text.count("Outer") == 3
    assert "Innermost" not in content.text
    assert ["more than 2 deep" in unread.reason for unread in content.unread] == [True]


@pytest.mark.parametrize("depth", [10, 100, 300, 600, 1600])
@pytest.mark.parametrize("shape", ["table", "sdt", "box", "ins"])
def test_text_is_read_at_any_depth(depth: int, shape: str) -> None:
    before, after = {
        "table": ("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"),
        "sdt": ("<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>"),
        "box": ("<w:p><w:r><w:txbxContent>", "</w:txbxContent></w:r></w:p>"),
        "ins": ("<w:ins>", "</w:ins>"),
    }[shape]
    content = read_docx(word(before * depth + p("The contract ends in May.") + after * depth))
    assert (content.text.strip(), content.unread) == ("The contract ends in May.", ())


@pytest.mark.parametrize(
    ("text", "code", "value"),
    [
        ("4.2999999999999998", "General", "4.3"),
        ("12", "General", "12"),
        ("0.125", "0.0%", "12.5%"),
        ("0.29", "0%", "29%"),
        ("45658", "m/d/yyyy", "2025-01-01"),
        ("45658", "[$-409]mmm\\-yy", "2025-01-01"),
        ("1250.5", '#,##0 "days"', "1250.5"),
        ("1250.5", "[Red]0.00", "1250.5"),
        ("-3", "yyyy", "-3"),
        ("#N/A", "General", "#N/A"),
        ("1e300", "General", "1e300"),
    ],
)
def test_a_value_of_a_chart_is_shown_as_its_format_says(text: str, code: str, value: str) -> None:
    assert shown(text, code) == value


def repeated(name: str, times: int) -> bytes:
    """A document with so many of these things."""
    if name == "told":
        return word(p(field("EQ " + "\\f\\aa 1 " * times)))
    if name == "styles":
        based = (f'<w:style w:styleId="s{at}"><w:basedOn w:val="s{at + 1}"/></w:style>' for at in range(times))
        return word(p("x", style="s0"), {"styles.xml": root("styles", "".join(based))})
    if name == "notes of notes":
        held = (f'<w:footnote w:id="{at}">{p("x", refer("footnote", at + 1))}</w:footnote>' for at in range(times))
        return word(p("x", refer("footnote", 0)), {"footnotes.xml": root("footnotes", "".join(held))})
    unit = {
        "rows": "<w:tr>" + "".join(f"<w:tc><w:tcPr/>{p(word)}</w:tc>" for word in ("one", "two", "three")) + "</w:tr>",
        "merged": f"<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr>{p('')}</w:tc><w:tc>{p('x')}</w:tc></w:tr>",
        "paragraphs": p("Some words of a paragraph.", style="Heading2"),
        "runs": r("word ") + r("2", '<w:vertAlign w:val="superscript"/>'),
        "deleted": p("Some words", pr="<w:rPr><w:del/></w:rPr>"),
        "fields": '<w:r><w:fldChar w:fldCharType="begin"/></w:r>' + r("x"),
        "items": p("item", pr='<w:numPr><w:numId w:val="1"/></w:numPr>'),
        "notes": refer("footnote"),
        "charts": CHART,
        "chunks": CHUNK,
        "equation": "<m:oMath><m:r><m:t>x</m:t></m:r></m:oMath>",
        "sections": f"<w:p><w:pPr>{section(margin('header', 'h'))}</w:pPr></w:p>",
    }[name]
    whole = unit * times
    wrapped = {"rows": f"<w:tbl>{whole}</w:tbl>", "merged": f"<w:tbl>{whole}</w:tbl>", "runs": f"<w:p>{whole}</w:p>"}
    wrapped |= {"fields": f"<w:p>{whole}</w:p>", "notes": f"<w:p>{whole}</w:p>"}
    wrapped["equation"] = f"<w:p>{whole}</w:p>"
    parts: dict[str, str | bytes] = {"footnotes.xml": GOOD_NOTES, "header1.xml": root("hdr", p("Head")), "a.html": HTML}
    parts["charts/chart1.xml"] = chart(series("s", YEARS, points("val", "num", *map(str, range(500)))))
    return word(wrapped.get(name, whole), parts, [*HEADER, *CHARTS, ("k", "aFChunk", "a.html")])


MANY = (
    "told",
    "rows",
    "merged",
    "paragraphs",
    "runs",
    "deleted",
    "fields",
    "items",
    "notes",
    "charts",
    "chunks",
    "equation",
)


@pytest.mark.parametrize("name", [*MANY, "told", "sections", "styles", "notes of notes"])
def test_the_cost_of_a_document_is_linear(name: str) -> None:
    def seconds(times: int) -> float:
        data = repeated(name, times)
        before = time.process_time()
        read_docx(data)
        return time.process_time() - before

    ratios = []
    for _ in range(4):
        ratios.append(seconds(4_000) / max(seconds(1_000), 0.001))
        if ratios[-1] < 8:
            break
    assert min(ratios) < 8, ratios


def test_text_that_is_nested_without_end_is_named() -> None:
    content = read_docx(word(p("First") + "<w:sdt>" * 100_000 + p("deep") + "</w:sdt>" * 100_000))
    assert content.text == "First\n"
    assert ["depth" in unread.reason for unread in content.unread] == [True]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_text_whose_bytes_are_damaged_is_read_up_to_there(share: float) -> None:
    data = word("".join(p(f"Paragraph {number}.") for number in range(2_000)))
    at = int(data.index(b"word/_rels/document.xml.rels") * share)
    content = read_docx(data[:at] + bytes(20) + data[at + 20 :])
    assert content.text.startswith("Paragraph 0.\n\nParagraph 1.")
    assert [unread.part for unread in content.unread] == ["the text from there on (word/document.xml)"]
    assert content.unread[0].start > 20
