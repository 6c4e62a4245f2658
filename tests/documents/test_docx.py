from pathlib import Path

import pytest

from tasks.documents.document import Content, Document
from tasks.documents.extract import extract
from tasks.documents.readers.docx.reader import read_docx
from tests.documents.word import cell, field, p, r, root, t, table, word

SAMPLES = Path(__file__).parent / "samples"


def read(body: str, **more: object) -> str:
    content = read_docx(word(body, **more))  # type: ignore[arg-type]
    assert content.unread == ()
    return content.text.strip()


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.docx")), ids=lambda path: path.name)
def test_a_sample_gives_the_text_that_lies_beside_it(path: Path) -> None:
    expected = path.with_name(f"{path.name}.txt").read_text()
    content = extract(Document(path.name, path.as_uri(), path.stat().st_size, path=str(path)))
    assert content.text == expected
    assert content.unread == ()
    assert [expected[section.start :].startswith("#") for section in content.sections] == [True] * expected.count("# ")


UP, DOWN = '<w:vertAlign w:val="superscript"/>', '<w:vertAlign w:val="subscript"/>'


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (r("3 x 10") + r("6", UP) + r(" per ml"), "3 x 10^6 per ml"),
        (r("5") + r("1", UP) + r(" million"), "5^1 million"),
        (r("10") + r("-", UP) + r("6", UP), "10^-6"),
        (r("10") + r("\u22126", UP) + r(" m"), "10^\u22126 m"),
        (r("x") + r("n+1", UP), "x^{n+1}"),
        (r("10") + r("6", '<w:position w:val="8"/>'), "10^6"),
        (r("H") + r("2", '<w:position w:val="-7"/>') + r("O"), "H_2O"),
        (r("a") + r("b", '<w:position w:val="2"/>'), "ab"),
        (r("H") + r("2", DOWN) + r("O"), "H_2O"),
        (r("x") + r("2", UP) + r("3"), "x^{2}3"),
        (r("(a+b)") + r("2", UP), "(a+b)^2"),
        (r("14", UP) + r("C"), "^14C"),
        (r("m") + r("2 ", UP) + r("each"), "m^2 each"),
        (r("Docmill") + r("®", UP), "Docmill®"),
        (r("see ") + r("here", UP) + r(" and"), "see here and"),
        (r("a") + r("i", DOWN) + r("2", UP), "a_i^2"),
        (r("10") + r("6", '<w:rStyle w:val="Up"/>'), "10^6"),
        (r("10") + r("6", '<w:rStyle w:val="Up"/><w:vertAlign w:val="baseline"/>'), "106"),
    ],
)
def test_raised_and_lowered_characters_never_fuse_with_their_neighbours(runs: str, text: str) -> None:
    styles = root("styles", f'<w:style w:type="character" w:styleId="Up"><w:rPr>{UP}</w:rPr></w:style>')
    assert read(p(runs), parts={"styles.xml": styles}) == text


def box(checked: str, glyph: str = "\u2612") -> str:
    state = f"<w14:checkbox>{checked}</w14:checkbox>"
    return f"<w:sdt><w:sdtPr>{state}</w:sdtPr><w:sdtContent>{r(glyph)}</w:sdtContent></w:sdt>"


def form_box(inner: str) -> str:
    return field("FORMCHECKBOX", None, f"<w:checkBox>{inner}</w:checkBox>")


def sym(font: str, char: str) -> str:
    return f'<w:r><w:sym w:font="{font}" w:char="{char}"/></w:r>'


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (box('<w14:checked w14:val="1"/>'), "☒"),
        (box('<w14:checked w14:val="0"/>', "\u2610"), "☐"),
        (box('<w14:checked w14:val="true"/>', "\u2611"), "☒"),
        (box("", "\u2610"), "☐"),
        (box('<w14:checked w14:val="1"/>', ""), "☒"),
        (box('<w14:checked w14:val="1"/>').replace(r("\u2612"), sym("Wingdings", "F0FE")), "☒"),
        (form_box("<w:checked/>"), "☒"),
        (form_box('<w:checked w:val="0"/>'), "☐"),
        (form_box('<w:default w:val="1"/>'), "☒"),
        (form_box('<w:default w:val="1"/><w:checked w:val="false"/>'), "☐"),
        (form_box('<w:default w:val="0"/><w:checked/>'), "☒"),
        (sym("Wingdings", "F0FE"), "☑"),
        (sym("Wingdings", "F0A8"), "☐"),
        (sym("Wingdings", "F0FC"), "✓"),
        (sym("Wingdings 2", "F052"), "☑"),
        (r("\uf0fe", '<w:rFonts w:ascii="Wingdings" w:hAnsi="Wingdings"/>'), "☑"),
        (field('SYMBOL 254 \\f "Wingdings" \\s 10'), "☑"),
    ],
)
def test_a_check_box_of_each_kind_says_whether_it_is_checked(runs: str, text: str) -> None:
    assert read(p(runs, r(" Tea"))) == f"{text} Tea"


M_R = "<m:r><m:t>{}</m:t></m:r>"


def m(name: str, properties: str = "", **parts: str) -> str:
    inner = "".join(
        f"<m:{key}>{M_R.format(text) if text[:1] != '<' else text}</m:{key}>" for key, text in parts.items()
    )
    return f"<m:{name}><m:{name}Pr>{properties}</m:{name}Pr>{inner}</m:{name}>"


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        (M_R.format("A=π") + m("sSup", e="r", sup="2"), "A=πr^2"),
        (m("sSub", e="x", sub="i+1"), "x_{i+1}"),
        (m("sSubSup", e="x", sub="i", sup="2"), "x_i^2"),
        (m("f", num="a", den="b"), "a/b"),
        (m("f", num="a+b", den="2c"), "(a+b)/2c"),
        (m("f", num=m("f", num="a", den="b"), den="c"), "(a/b)/c"),
        (m("f", '<m:type m:val="noBar"/>', num="n", den="k"), "(n over k)"),
        (m("rad", deg="", e="x+1"), "√(x+1)"),
        (m("rad", deg="3", e="x"), "√[3]x"),
        (m("nary", '<m:chr m:val="∑"/>', sub="i=1", sup="n", e="i"), "∑_{i=1}^n i"),
        (m("nary", sub="0", sup="1", e="x dx"), "∫_0^1 x dx"),
        (m("d", e="a+b"), "(a+b)"),
        (m("d", '<m:begChr m:val="["/><m:endChr m:val="]"/>', e="a"), "[a]"),
        (m("func", fName="sin", e="x"), "sin x"),
        (m("limLow", e="lim", lim="x→0"), "lim_{x→0}"),
        (m("acc", '<m:chr m:val="⃗"/>', e="v"), "v⃗"),
        (f"<m:m><m:mr><m:e>{M_R.format('a')}</m:e><m:e>{M_R.format('b')}</m:e></m:mr></m:m>", "[a, b]"),
        (f"<m:eqArr><m:e>{M_R.format('x=1')}</m:e><m:e>{M_R.format('y=2')}</m:e></m:eqArr>", "x=1; y=2"),
        (f"<m:r>{t('by hand')}</m:r><w:del>{M_R.format('gone')}</w:del>", "by hand"),
    ],
)
def test_an_equation_is_read_in_one_line(equation: str, text: str) -> None:
    assert read(p(r("So "), f"<m:oMath>{equation}</m:oMath>", r(" holds."))) == f"So {text} holds."
    assert read(p(f"<m:oMathPara><m:oMath>{equation}</m:oMath></m:oMathPara>")) == text


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (r"EQ \f(1,2)", "1/2"),
        (r"EQ \f(a+b,2c)", "(a+b)/2c"),
        (r"EQ \f(\f(a,b),c)", "(a/b)/c"),
        (r"EQ \r(x)", "√x"),
        (r"EQ \r(3;x+1)", "√[3](x+1)"),
        (r"EQ r\s\up8(2)", "r^2"),
        (r"EQ x\s\do4(i+1)", "x_{i+1}"),
        (r"EQ \i(0,1,x dx)", "∫_0^1 x dx"),
        (r"EQ \b(\f(1,2))", "(1/2)"),
        (r"EQ \o\ac(○,5)", "○5"),
        (r"EQ \a\co2(a,b,c,d)", "a, b, c, d"),
        (r"EQ \x(boxed)", "boxed"),
        (r"EQ plain", "plain"),
        (r"EQ", ""),
        (r"EQ \f(1,", r"\f(1,"),
    ],
)
def test_an_equation_of_an_old_field_is_read_in_one_line(told: str, text: str) -> None:
    assert read(p("So ", field(told), " holds.")) == f"So {text} holds."


def alternatives(choice: str, fallback: str, needs: str = "wps") -> str:
    return (
        f'<w:r><mc:AlternateContent><mc:Choice Requires="{needs}">{choice}</mc:Choice>'
        f"<mc:Fallback>{fallback}</mc:Fallback></mc:AlternateContent></w:r>"
    )


def shape(text: str) -> str:
    return f"<w:drawing><wps:wsp><wps:txbx><w:txbxContent>{p(text)}</w:txbxContent></wps:txbx></wps:wsp></w:drawing>"


def old_shape(text: str) -> str:
    return f"<w:pict><v:textbox><w:txbxContent>{p(text)}</w:txbxContent></v:textbox></w:pict>"


RUBY = f"<w:r><w:ruby><w:rubyPr/><w:rt>{r('とうきょう')}</w:rt><w:rubyBase>{r('東京')}</w:rubyBase></w:ruby></w:r>"
CUT = "<w:rPr><w:del/></w:rPr>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (p("会場は", RUBY, "です。"), "会場は東京です。"),
        (
            p("The ", f"<w:ins>{r('new ')}</w:ins>", "<w:del><w:r><w:delText>old </w:delText></w:r></w:del>", "rent"),
            "The new rent",
        ),
        (p(f"<w:moveFrom>{r('moved')}</w:moveFrom>") + p(f"<w:moveTo>{r('moved')}</w:moveTo>"), "moved"),
        (p("one ", pr=CUT) + p("paragraph"), "one paragraph"),
        (p("T", pr='<w:framePr w:dropCap="drop"/>') + p("he mill"), "The mill"),
        (p("Seen ", r("hidden", "<w:vanish/>"), r("again", '<w:vanish w:val="0"/>')), "Seen again"),
        (p("Seen", style="Ghost") + p("left"), "left"),
        (p(f'<w:hyperlink r:id="x">{r("the link")}</w:hyperlink>'), "the link"),
        (p(field('HYPERLINK "http://x"', r("the result"))), "the result"),
        (p("Dear ", field('IF 1 = 1 "a" "b"', r("Ann")), ","), "Dear Ann,"),
        (p(field("IF " + "x" + " ", r("outer ") + field("PAGEREF y", r("7")))), "outer 7"),
        (p(f'<w:fldSimple w:instr=" DATE ">{r("1 May")}</w:fldSimple>'), "1 May"),
        (p(field("MACROBUTTON NoMacro [Click here]")), "[Click here]"),
        (
            p(
                field(
                    "FORMDROPDOWN",
                    None,
                    "<w:ddList><w:result w:val='1'/><w:listEntry w:val='USD'/><w:listEntry w:val='EUR'/></w:ddList>",
                )
            ),
            "EUR",
        ),
        (p(field("FORMTEXT", r("Smith"))), "Smith"),
        (p(field("FORMTEXT", None, "<w:textInput><w:default w:val='Jones'/></w:textInput>")), "Jones"),
        (p('<w:r><w:fldChar w:fldCharType="begin"/></w:r>', "kept") + p("and more"), "kept\n\nand more"),
        (p(f"<w:r>{t('e')}<w:noBreakHyphen/>{t('mail')}</w:r>"), "e-mail"),
        (p(f"<w:r>{t('co')}<w:softHyphen/>{t('operate')}</w:r>"), "cooperate"),
        (p(f"<w:r>{t('a')}<w:tab/>{t('b')}<w:br/>{t('c')}<w:cr/>{t('d')}</w:r>"), "a\tb\nc\nd"),
        (p(sym("Symbol", "F061"), sym("Symbol", "F0B3"), "1"), "\u03b1≥1"),
        (p(r("abp", '<w:rFonts w:ascii="Symbol"/>')), "αβπ"),
        (p(f"<w:sdt><w:sdtPr><w:dropDownList/></w:sdtPr><w:sdtContent>{r('Chosen')}</w:sdtContent></w:sdt>"), "Chosen"),
        (
            f"<w:sdt><w:sdtPr/><w:sdtContent>{p('A')}{table(['1', '2'])}</w:sdtContent></w:sdt>",
            "A\n\n| 1 | 2 |\n| --- | --- |",
        ),
        (p(f"<w:smartTag><w:customXml>{r('tagged')}</w:customXml></w:smartTag>"), "tagged"),
        (p(f'<w:bdo w:val="rtl"><w:dir w:val="rtl">{r("שלום")}</w:dir></w:bdo>', " 5"), "שלום 5"),
        (p(r("struck", "<w:strike/>"), " left"), "~~struck~~ left"),
        (p(f"<w:r>{t('line')}<w:lastRenderedPageBreak/>{t('age')}</w:r>"), "lineage"),
        (
            p("Before ", alternatives(shape("In the box"), old_shape("In the box")), "after"),
            "Before after\n\nIn the box",
        ),
        (p("x", alternatives("<w:drawing/>", old_shape("Old box"))), "x\n\nOld box"),
        (p("x", alternatives(shape("Unknown"), old_shape("Known"), "other")), "x\n\nKnown"),
        (p("x", f"<w:r>{old_shape('Only old')}</w:r>"), "x\n\nOnly old"),
        (p("x", alternatives(shape("twice"), shape("twice"), "w14")), "x\n\ntwice"),
        (p("x", r("", "<w:vanish/>").replace("</w:r>", shape("hidden") + "</w:r>")), "x"),
        (p('<w:r><w:pict><v:shape><v:textpath string="CONFIDENTIAL"/></v:shape></w:pict></w:r>'), "CONFIDENTIAL"),
        (
            p("<w:r><w:drawing><a:p><a:r><a:t>Drawn </a:t></a:r><a:r><a:t>words</a:t></a:r></a:p></w:drawing></w:r>"),
            "Drawn words",
        ),
        (p("<!-- no --><w:r><w:t>te<!-- no -->xt</w:t></w:r>"), "text"),
    ],
)
def test_what_is_shown_is_read_once_and_nothing_else(body: str, text: str) -> None:
    styles = root("styles", '<w:style w:type="paragraph" w:styleId="Ghost"><w:rPr><w:vanish/></w:rPr></w:style>')
    assert read(body, parts={"styles.xml": styles}) == text


SPAN2, DOWNWARDS, ON = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
HEAD = "| A | B | C |\n| --- | --- | --- |\n"
ABC = ("A", "B", "C")
LATE = "<w:trPr><w:gridBefore w:val='1'/></w:trPr>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (table(ABC, ("1", "2", "3")), HEAD + "| 1 | 2 | 3 |"),
        (table(ABC, (cell("1", SPAN2), "3")), HEAD + "| 1 |  | 3 |"),
        (table(ABC, ("1", cell("2", SPAN2))), HEAD + "| 1 | 2 |  |"),
        (table(ABC, (cell("N", DOWNWARDS), "1", "2"), (cell("", ON), "3", "4")), HEAD + "| N | 1 | 2 |\n| N | 3 | 4 |"),
        (table(ABC, ("1", cell("N", DOWNWARDS), "2"), ("3", cell("", ON), "4")), HEAD + "| 1 | N | 2 |\n| 3 | N | 4 |"),
        (
            table(ABC, (cell("N", DOWNWARDS + SPAN2), "2"), (cell("", ON + SPAN2), "4"), ("5", "6", "7")),
            HEAD + "| N |  | 2 |\n| N |  | 4 |\n| 5 | 6 | 7 |",
        ),
        (
            table(ABC, (cell("n" * 101, DOWNWARDS), "1", "2"), (cell("", ON), "3", "4")),
            HEAD + f"| {'n' * 101} | 1 | 2 |\n|  | 3 | 4 |",
        ),
        (table(ABC, ("2", "3")).replace(f"<w:tr>{cell('2')}", f"<w:tr>{LATE}{cell('2')}"), HEAD + "|  | 2 | 3 |"),
        (table(ABC, ("1",)), HEAD + "| 1 |  |  |"),
        (table(ABC, (f"<w:sdt><w:sdtContent>{cell('1')}</w:sdtContent></w:sdt>", "2", "3")), HEAD + "| 1 | 2 | 3 |"),
        (
            table(
                ABC, (cell(inner=p("1") + p("one")), cell(inner=p("<w:r><w:t>2</w:t><w:br/><w:t>two</w:t></w:r>")), "3")
            ),
            HEAD + "| 1 one | 2 two | 3 |",
        ),
        (table(ABC, ("a|b", "2", "3")), HEAD + "| a\\|b | 2 | 3 |"),
        (table(ABC, (cell(inner=table(("x", "y"), ("1", "2")) + p("")), "2", "3")), HEAD + "| x / y; 1 / 2 | 2 | 3 |"),
        (
            table(ABC, ("1", "2", "3")).replace(
                "<w:tr><w:tc><w:tcPr></w:tcPr>" + p("1"), "<w:tr><w:trPr><w:del/></w:trPr><w:tc>" + p("1")
            ),
            HEAD.strip(),
        ),
        (
            table(
                (
                    cell(
                        inner=p("A heading", style="Heading1") + p("Text"),
                    ),
                )
            ),
            "# A heading\n\nText",
        ),
        (table((cell("Wide", '<w:gridSpan w:val="3"/>'),), ABC), "| Wide |  |  |\n| --- | --- | --- |\n| A | B | C |"),
        (table((cell("Odd", '<w:gridSpan w:val="999999999"/>'), "B")), "| Odd | B |\n| --- | --- |"),
        (table((cell("Odd", '<w:gridSpan w:val="x"/>'), "B")), "| Odd | B |\n| --- | --- |"),
    ],
)
def test_each_value_of_a_table_stays_under_its_heading(body: str, text: str) -> None:
    assert read(body) == text


def test_a_heading_is_known_by_its_style_in_any_language_or_by_its_outline() -> None:
    styles = root(
        "styles",
        '<w:style w:type="paragraph" w:styleId="Titre1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="Titre1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Deep"><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Round"><w:basedOn w:val="Turn"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Turn"><w:basedOn w:val="Round"/></w:style>',
    )
    body = "".join(p(f"of {style}", style=style) for style in ("Titre1", "Own", "Deep", "Round", "Heading4", "Title"))
    body += p("outlined", pr='<w:outlineLvl w:val="1"/>') + p("not", style="Titre1", pr='<w:outlineLvl w:val="9"/>')
    content = read_docx(word(body, {"styles.xml": styles}))
    assert [(section.level, section.title) for section in content.sections] == [
        (1, "of Titre1"),
        (1, "of Own"),
        (3, "of Deep"),
        (4, "of Heading4"),
        (1, "of Title"),
        (2, "outlined"),
    ]
    for section in content.sections:
        assert content.text[section.start :].startswith(f"{'#' * section.level} {section.title}")


def test_words_that_look_like_a_heading_are_none() -> None:
    content: Content = read_docx(word(p("# of items: 5") + p("~~~") + p("Real", style="Heading1")))
    assert [section.title for section in content.sections] == ["Real"]
