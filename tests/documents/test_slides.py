"""The text of slides is all that a person sees of them, in the order of reading; what is lost is named."""

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pptx import Presentation
from pptx.util import Inches

from tasks.documents.readers.drawn.boxes import MOST_CUT, DrawnBox, Placed, Transform, ordered
from tasks.documents.readers.kinds import kind_of
from tasks.documents.readers.pptx.reader import read_pptx
from tasks.documents.readers.read import read
from tests.documents import made
from tests.documents.parts import DRAWN, LINKS, SLIDE_NAMES, relations, shape, slides, workbook

SAMPLES = Path(__file__).parent / "samples"
DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"
NEWER = "http://schemas.microsoft.com/office/drawing/2010/main"

CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
CHARTED = f'<p:graphicFrame><c:chart xmlns:c="{CHART}" r:id="c"/></p:graphicFrame>'


def text(tree: str, **options: Any) -> str:
    """The text of a show of one slide."""
    return read_pptx(slides(tree, **options)).text


def run(words: str, properties: str = "") -> str:
    """A run, with the attributes of its properties."""
    return f"<a:r><a:rPr {properties}/><a:t>{words}</a:t></a:r>"


def lines(*paragraphs: tuple[str, str]) -> str:
    """A shape of paragraphs: (what is in their properties, text)."""
    return shape("".join(f"<a:p>{properties}{run(words)}</a:p>" for properties, words in paragraphs))


@pytest.mark.parametrize("name", ["10_deck.pptx"])
def test_a_sample_reads_as_a_person_sees_it(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    content = read(data, kind_of(data, name), name)
    assert content.text == (SAMPLES / f"{name}.txt").read_text()
    assert not content.unread


PLACES = [
    ([("b", (0, 50, 9, 9)), ("a", (0, 0, 9, 9))], "ab"),
    ([("b", (50, 0, 9, 9)), ("a", (0, 0, 9, 9))], "ab"),
    ([("b", (50, 1, 9, 9)), ("a", (0, 2, 9, 9))], "ab"),
    ([("c", (50, 0, 9, 40)), ("b", (0, 20, 9, 9)), ("a", (0, 0, 9, 9))], "abc"),
    ([("b", (50, 0, 9, 9)), ("d", (50, 20, 9, 9)), ("c", (0, 20, 9, 9)), ("a", (0, 0, 9, 9))], "abcd"),
    ([("d", (0, 90, 99, 9)), ("c", (50, 20, 9, 60)), ("b", (0, 20, 9, 60)), ("a", (0, 0, 99, 9))], "abcd"),
    ([("b", (0, 9, 9, 9)), ("a", (0, 0, 9, 10))], "ab"),
    ([("a", (0, 0, 99, 99)), ("b", (10, 10, 9, 9))], "ab"),
    ([("b", (0, 5, 0, 0)), ("a", (0, 4, 0, 0))], "ab"),
    ([("b", (-10, 5, 5, 5)), ("a", (-10, -9, 5, 5))], "ab"),
]


@pytest.mark.parametrize(("boxes", "order"), PLACES)
def test_shapes_are_read_from_the_top_to_the_bottom_and_from_the_left_to_the_right(
    boxes: Sequence[tuple[str, tuple[int, int, int, int]]], order: str
) -> None:
    shown = text("".join(shape(name, box) for name, box in boxes))
    assert shown == "\n\n".join(order)


def test_a_groups_shapes_stand_where_the_group_puts_them() -> None:
    group = (
        '<p:grpSp><p:grpSpPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="100" cy="100"/><a:chOff x="5000" y="5000"/>'
        '<a:chExt cx="1000" cy="1000"/></a:xfrm></p:grpSpPr>{}</p:grpSp>'
    )
    inner = shape("c", (5000, 5800, 900, 90)) + shape("a", (5000, 5000, 900, 90))
    assert text(group.format(inner) + shape("b", (0, 40, 9, 9))) == "a\n\nb\n\nc"


@given(st.tuples(*[st.floats(-1e6, 1e6)] * 4), st.tuples(*[st.floats(1, 1e6)] * 4))
def test_a_group_spans_its_box(places: tuple[float, ...], extents: tuple[float, ...]) -> None:
    outer, inner = (DrawnBox(*places[:2], *extents[:2]), DrawnBox(*places[2:], *extents[2:]))
    shown = Transform().within(outer, inner).of(inner)
    assert shown == pytest.approx(outer, rel=1e-6, abs=1e-3 * max(1, *extents[:2]))


@given(st.lists(st.tuples(*[st.floats(0, 1e6)] * 4), max_size=MOST_CUT + 20))
def test_every_shape_is_read_once(boxes: list[tuple[float, float, float, float]]) -> None:
    items = [Placed(DrawnBox(*box), [str(at)]) for at, box in enumerate(boxes)]
    assert sorted(ordered(items)) == sorted(items)


NUMBER = '<a:pPr{}><a:buAutoNum type="{}"/></a:pPr>'
LISTS = [
    (
        [('<a:pPr><a:buChar char="•"/></a:pPr>', "a"), ('<a:pPr lvl="1"><a:buChar char="•"/></a:pPr>', "b")],
        "- a\n  - b",
    ),
    ([("<a:pPr><a:buNone/></a:pPr>", "a"), ("", "b")], "a\nb"),
    ([("<a:pPr><a:buBlip/></a:pPr>", "a")], "- a"),
    ([('<a:pPr lvl="2"/>', "a")], "    a"),
    ([(NUMBER.format("", "arabicPeriod"), "a"), (NUMBER.format("", "arabicPeriod"), "b")], "1. a\n2. b"),
    ([('<a:pPr><a:buAutoNum type="arabicParenR" startAt="4"/></a:pPr>', "a")], "4) a"),
    ([(NUMBER.format("", "alphaLcParenBoth"), "a"), (NUMBER.format("", "alphaLcParenBoth"), "b")], "(a) a\n(b) b"),
    ([(NUMBER.format("", "romanUcPeriod"), "a")] * 4, "I. a\nII. a\nIII. a\nIV. a"),
    (
        [
            (NUMBER.format("", "arabicPeriod"), "a"),
            (NUMBER.format(' lvl="1"', "alphaUcPeriod"), "b"),
            (NUMBER.format(' lvl="1"', "alphaUcPeriod"), "c"),
            (NUMBER.format("", "arabicPeriod"), "d"),
            (NUMBER.format(' lvl="1"', "alphaUcPeriod"), "e"),
        ],
        "1. a\n  A. b\n  B. c\n2. d\n  A. e",
    ),
    (
        [(NUMBER.format("", "arabicPeriod"), "a"), ("", "between"), (NUMBER.format("", "arabicPeriod"), "b")],
        "1. a\nbetween\n1. b",
    ),
    ([("", "a"), ("", " "), ("", "b")], "a\nb"),
]


@pytest.mark.parametrize(("paragraphs", "shown"), LISTS)
def test_lists_keep_their_levels_bullets_and_numbers(paragraphs: list[tuple[str, str]], shown: str) -> None:
    assert read_pptx(slides(lines(*paragraphs))).text == shown


EQUATION = (
    f'<mc:AlternateContent><mc:Choice xmlns:a14="{NEWER}" Requires="a14"><a14:m><m:oMath xmlns:m="{MATH}">'
    "<m:r><m:t>A=</m:t></m:r><m:sSup><m:e><m:r><m:t>r</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
    f"</m:oMath></a14:m></mc:Choice><mc:Fallback>{run('picture')}</mc:Fallback></mc:AlternateContent>"
)
UNKNOWN = (
    '<mc:AlternateContent><mc:Choice xmlns:z="urn:unknown" Requires="z"><z:x/></mc:Choice>'
    f"<mc:Fallback>{run('shown')}</mc:Fallback></mc:AlternateContent>"
)
MADE_OF = [
    (run("10") + run("6", 'baseline="30000"'), "10^6"),
    (run("H") + run("2", 'baseline="-25000"') + run("O"), "H_2O"),
    (run("old", 'strike="sngStrike"') + run(" new"), "~~old~~ new"),
    (run("a") + "<a:br/>" + run("b"), "a\nb"),
    (run("a ") + "<a:br/>" + run(" b"), "a\nb"),
    (run("split ") + run("word"), "split word"),
    (f'<a:r><a:rPr><a:hlinkClick xmlns:r="{LINKS}" r:id="r9"/></a:rPr><a:t>a link</a:t></a:r>', "a link"),
    (run("page ") + '<a:fld type="slidenum" id="{0}"><a:t>7</a:t></a:fld>', "page"),
    ('<a:fld type="datetime1" id="{0}"><a:t>1/2/2020</a:t></a:fld>' + run("on"), "on"),
    ('<a:fld type="custom" id="{0}"><a:t>kept</a:t></a:fld>', "kept"),
    (
        EQUATION,
        "A=r^2",
    ),
    (
        UNKNOWN,
        "shown",
    ),
]


@pytest.mark.parametrize(("inner", "shown"), MADE_OF)
def test_a_paragraph_reads_as_it_is_seen(inner: str, shown: str) -> None:
    assert text(shape(f"<a:p>{inner}</a:p>")) == shown


def cell(words: str, attributes: str = "") -> str:
    """A cell of a table."""
    held = "".join(f"<a:p>{run(line)}</a:p>" for line in words.split("\n"))
    return f"<a:tc {attributes}><a:txBody>{held}</a:txBody></a:tc>"


SPANS = [
    ([["a", "b"], ["c", "d"]], {}, "| a | b |\n| --- | --- |\n| c | d |"),
    ([["a", "b"], ["c\nx", "d"]], {}, "| a | b |\n| --- | --- |\n| c x | d |"),
    ([["a", "b"], ["", "d"]], {}, "| a | b |\n| --- | --- |\n|  | d |"),
    ([["a", "b"], ["", "d"]], {(1, 0): 'vMerge="1"'}, "| a | b |\n| --- | --- |\n| a | d |"),
    ([["a", "", "c"], ["d", "e", "f"]], {(0, 1): 'hMerge="1"'}, "| a |  | c |\n| --- | --- | --- |\n| d | e | f |"),
    ([["a", "b"], ["", ""], ["c", "d"]], {}, "| a | b |\n| --- | --- |\n| c | d |"),
    ([["", ""], ["c", "d"]], {}, "|  |  |\n| --- | --- |\n| c | d |"),
    ([["a|b", "c"]], {}, "| a\\|b | c |\n| --- | --- |"),
    ([["a", "b"], ["c"]], {}, "| a | b |\n| --- | --- |\n| c |  |"),
    ([["", ""]], {}, ""),
]


@pytest.mark.parametrize(("rows", "spans", "shown"), SPANS)
def test_each_value_of_a_table_stands_in_its_column(
    rows: list[list[str]], spans: dict[tuple[int, int], str], shown: str
) -> None:
    inner = "".join(
        f"<a:tr>{''.join(cell(words, spans.get((row, column), '')) for column, words in enumerate(held))}</a:tr>"
        for row, held in enumerate(rows)
    )
    table = f"<a:graphic><a:graphicData><a:tbl>{inner}</a:tbl></a:graphicData></a:graphic>"
    assert text(f"<p:graphicFrame>{table}</p:graphicFrame>") == shown


PLACEHOLDERS = [
    ('type="title"', "# it"),
    ('type="ctrTitle"', "# it"),
    ('type="body" idx="1"', "it"),
    ('idx="1"', "it"),
    ('type="subTitle" idx="1"', "it"),
    ('type="sldNum" idx="12"', ""),
    ('type="dt" idx="10"', ""),
    ('type="hdr"', ""),
    ('type="ftr" idx="11"', "it"),
    ("", "it"),
]


@pytest.mark.parametrize(("mark", "shown"), PLACEHOLDERS)
def test_numbers_and_dates_of_slides_are_left_out(mark: str, shown: str) -> None:
    assert text(shape("it", mark=mark)).strip() == shown


def test_a_footer_is_read_on_the_first_slide_that_has_it() -> None:
    feet = [shape(words, mark='type="ftr"') for words in ("Draft", "Draft", "Final")]
    assert read_pptx(slides(*feet)).text == "Draft\n\f\n\fFinal"


def test_a_prompt_that_nobody_filled_in_is_not_read() -> None:
    show: Any = Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Title"
    slide.shapes.add_textbox(Inches(1), Inches(6), Inches(2), Inches(1)).text_frame.text = "last"
    slide.placeholders[1].text = "first"
    file = io.BytesIO()
    show.save(file)
    assert read_pptx(file.getvalue()).text == "# Title\n\n- first\n\nlast"
    assert read_pptx(made.pptx(("", ""))).text == ""


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("hidden", [False, True])
def test_hidden_slides_are_read_and_said_to_be_so(*, strict: bool, hidden: bool) -> None:
    tree = shape("Plan", mark='type="title"') + shape("text")
    shown = text(tree, strict=strict, attributes=' show="0"' if hidden else "")
    assert shown == ("# Plan (hidden slide)\n\ntext" if hidden else "# Plan\n\ntext")


def notes(*shapes: str) -> str:
    """The notes of a slide."""
    inner = f"<p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld>"
    return f'<p:notes xmlns:p="{SLIDE_NAMES}" xmlns:a="{DRAWN}">{inner}</p:notes>'


def test_notes_and_comments_are_said_to_be_so() -> None:
    comment = '<p:cm authorId="0"><p:text>Why?</p:text></p:cm>'
    more = {
        "ppt/notes1.xml": notes(shape("Say it.", mark='type="body" idx="1"'), shape("3", mark='type="sldNum"')),
        "ppt/comments1.xml": f'<p:cmLst xmlns:p="{SLIDE_NAMES}">{comment}</p:cmLst>',
        "ppt/slides/_rels/slide1.xml.rels": relations(
            ("n", "notesSlide", "../notes1.xml"), ("c", "comments", "/ppt/comments1.xml")
        ),
        "ppt/authors.xml": f'<p:cmAuthorLst xmlns:p="{SLIDE_NAMES}"><p:cmAuthor id="0" name="Ann"/></p:cmAuthorLst>',
        "ppt/_rels/presentation.xml.rels": relations(
            ("r1", "slide", "slides/slide1.xml"), ("a", "commentAuthors", "authors.xml")
        ),
    }
    assert text(shape("it"), more=more) == "it\n\nNotes: Say it.\n\nComment (Ann): Why?"


def test_a_conversation_of_newer_programs_is_read() -> None:
    body = "<p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody>"
    thread = f'<n:cm authorId="A">{body.format("Why?")}<n:replyLst><n:reply authorId="B">{body.format("So.")}'
    more = {
        "ppt/c.xml": f'<n:cmLst xmlns:n="urn:n" xmlns:p="{SLIDE_NAMES}" xmlns:a="{DRAWN}">{thread}</n:reply>'
        "</n:replyLst></n:cm></n:cmLst>",
        "ppt/slides/_rels/slide1.xml.rels": relations(("c", "comments", "../c.xml")),
        "ppt/authors.xml": '<n:l xmlns:n="urn:n"><n:author id="A" name="Ann"/><n:author id="B" name="Bo"/></n:l>',
        "ppt/_rels/presentation.xml.rels": relations(
            ("r1", "slide", "slides/slide1.xml"), ("a", "authors", "authors.xml")
        ),
    }
    assert text("", more=more) == "Comment (Ann): Why?\n\nComment (Bo): So."


def test_a_diagrams_texts_are_items() -> None:
    points = "".join(
        f'<d:pt modelId="{at}"><d:t><a:p><a:r><a:t>{words}</a:t></a:r></a:p></d:t></d:pt>'
        for at, words in enumerate(["Plan", "Do"])
    )
    more = {
        "ppt/data1.xml": f'<d:data xmlns:d="{DIAGRAM}" xmlns:a="{DRAWN}"><d:ptLst>{points}</d:ptLst></d:data>',
        "ppt/slides/_rels/slide1.xml.rels": relations(("d", "diagramData", "../data1.xml")),
    }
    frame = f'<p:graphicFrame><d:relIds xmlns:d="{DIAGRAM}" r:dm="d"/></p:graphicFrame>'
    assert text(frame, more=more) == "- Plan\n- Do"


OLE = '<p:graphicFrame><p:oleObj r:id="o" progId="{}"/></p:graphicFrame>'


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (workbook({"S": "<row><c><v>1</v></c></row>"}), "# S\n\n1"),
        (made.docx(("Normal", "It turned.")), "It turned."),
        (slides(shape("inner")), "inner"),
    ],
)
def test_a_document_within_a_slide_is_read(data: bytes, shown: str) -> None:
    more = {"ppt/o.bin": data, "ppt/slides/_rels/slide1.xml.rels": relations(("o", "package", "../o.bin"))}
    assert text(OLE.format("x"), more=more) == shown


def test_another_programs_object_is_named() -> None:
    links = relations(("o", "oleObject", "../o.bin"))
    more: dict[str, str | bytes] = {"ppt/o.bin": b"\xd0\xcf", "ppt/slides/_rels/slide1.xml.rels": links}
    content = read_pptx(slides(OLE.format("Visio.Drawing.15") + shape("it"), more=more))
    assert content.text == "it"
    assert [part.part for part in content.unread] == ["slide 1, object (Visio.Drawing.15)"]


@pytest.mark.parametrize("inner", ["", "<c:plotArea/>", "<c:ser/>", "<c:ser><c:val><c:numRef/></c:val></c:ser>"])
def test_a_chart_without_values_is_named(inner: str) -> None:
    more = {
        "ppt/c.xml": f'<c:chartSpace xmlns:c="{CHART}">{inner}</c:chartSpace>',
        "ppt/slides/_rels/slide1.xml.rels": relations(("c", "chart", "../c.xml")),
    }
    content = read_pptx(slides(CHARTED, more=more))
    assert [part.part for part in content.unread] == ["slide 1, chart"]


LINK = "ppt/slides/_rels/slide2.xml.rels"
DAMAGES: list[tuple[dict[str, str | bytes], str]] = [
    ({"ppt/slides/slide2.xml": ""}, "slide 2 (ppt/slides/slide2.xml)"),
    ({"ppt/slides/slide2.xml": "not xml"}, "slide 2 (ppt/slides/slide2.xml)"),
    ({"ppt/slides/slide2.xml": "<p:sld"}, "slide 2 (ppt/slides/slide2.xml)"),
    ({"ppt/_rels/presentation.xml.rels": relations(("r1", "slide", "slides/slide1.xml"))}, "slide 2"),
    (
        {
            "ppt/_rels/presentation.xml.rels": relations(
                ("r1", "slide", "slides/slide1.xml"), ("r2", "slide", "gone.xml")
            )
        },
        "slide 2",
    ),
    ({LINK: relations(("n", "notesSlide", "../gone.xml"))}, "slide 2, notes (ppt/gone.xml)"),
    ({LINK: relations(("n", "notesSlide", "../n.xml")), "ppt/n.xml": "<x"}, "slide 2, notes (ppt/n.xml)"),
    ({LINK: relations(("n", "comments", "../gone.xml"))}, "slide 2, comments (ppt/gone.xml)"),
    ({LINK: relations(("c", "chart", "../gone.xml"))}, "slide 2, chart (ppt/gone.xml)"),
    ({LINK: relations(("c", "chart", "../c.xml")), "ppt/c.xml": "<"}, "slide 2, chart (ppt/c.xml)"),
    ({LINK: "<broken"}, "slide 2, chart"),
]


@pytest.mark.parametrize(("more", "part"), DAMAGES)
def test_one_bad_part_costs_no_other(more: dict[str, str | bytes], part: str) -> None:
    content = read_pptx(slides(shape("kept"), shape("second") + CHARTED, more=more))
    assert content.text.startswith("kept")
    assert part in [unread.part for unread in content.unread]


def test_the_cost_is_linear_in_the_shapes() -> None:
    def cost(count: int) -> float:
        data = slides("".join(shape(f"text {at}", (at, at % 7, 9, 9)) for at in range(count)))
        best = []
        for _ in range(3):
            start = time.perf_counter()
            read_pptx(data)
            best.append(time.perf_counter() - start)
        return min(best)

    assert cost(4000) < 4 * cost(2000) + 0.05
