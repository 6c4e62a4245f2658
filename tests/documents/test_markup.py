"""HTML: what a person sees of a page, each value under its own heading, in Markdown."""

import gc
import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.documents.encodings.charsets import codec_of
from tasks.documents.readers.markup import read_html
from tasks.documents.readers.read import read

SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize("name", ["rowspan.html", "08_spans_and_powers.html", "nested_340.html"])
def test_a_sample_gives_what_a_person_sees(name: str) -> None:
    expected = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8")
    assert read_html((SAMPLES / name).read_bytes()) == expected


def table(rows: str) -> list[list[str]]:
    """Return the fields of the table that a page of these rows gives, without its rule."""
    lines = read_html(f"<table>{rows}</table>").strip().split("\n")
    assert set(lines[1]) <= set("|- ")
    return [[field.strip() for field in line[1:-1].split(" | ")] for line in (lines[0], *lines[2:])]


SPANS = {
    "a row": ("<tr><th>a<th>b<tr><td rowspan=2>x<td>1<tr><td>2", [["a", "b"], ["x", "1"], ["x", "2"]]),
    "the last column": ("<tr><th>a<th>b<tr><td>1<td rowspan=2>x<tr><td>2", [["a", "b"], ["1", "x"], ["2", "x"]]),
    "all rows that follow": (
        "<tr><th>a<th>b<tr><td rowspan=0>x<td>1<tr><td>2<tr><td>3",
        [["a", "b"], ["x", "1"], ["x", "2"], ["x", "3"]],
    ),
    "beyond the table": ("<tr><th>a<th>b<tr><td rowspan=9>x<td>1<tr><td>2", [["a", "b"], ["x", "1"], ["x", "2"]]),
    "beyond its section": (
        "<thead><tr><th rowspan=5>a<th>b<tbody><tr><td>1<td>2",
        [["a", "b"], ["1", "2"]],
    ),
    "two columns, empty in the second": (
        "<tr><th>a<th>b<th>c<tr><td colspan=2>x<td>1",
        [["a", "b", "c"], ["x", "", "1"]],
    ),
    "a heading over two columns": ("<tr><th>a<th colspan=2>b<tr><td>1<td>2<td>3", [["a", "b", "b"], ["1", "2", "3"]]),
    "rows and columns": (
        "<tr><th>a<th>b<th>c<tr><td rowspan=2 colspan=2>x<td>1<tr><td>2",
        [["a", "b", "c"], ["x", "", "1"], ["x", "", "2"]],
    ),
    "two cells of different height": (
        "<tr><th>a<th>b<th>c<tr><td rowspan=3>x<td rowspan=2>y<td>1<tr><td>2<tr><td>z<td>3",
        [["a", "b", "c"], ["x", "y", "1"], ["x", "y", "2"], ["x", "z", "3"]],
    ),
    "a row without cells": (
        "<tr><th>a<th>b<tr><td rowspan=2>x<td>1<tr><tr><td>y<td>2", [["a", "b"], ["x", "1"], ["y", "2"]]),
    "more columns than there are": (
        "<tr><th>a<th>b<tr><td>1<td>2<tr><td colspan=100000>x", [["a", "b"], ["1", "2"], ["x", ""]]),
    "a title over all columns": ("<tr><th colspan=2>t<tr><td>1<td>2", [["t", ""], ["1", "2"]]),
    "no number": ("<tr><th>a<th>b<tr><td rowspan=x colspan=-3>1<td>2", [["a", "b"], ["1", "2"]]),
    "an empty corner": ("<tr><td><th>b<tr><th>x<td>1", [["", "b"], ["x", "1"]]),
    "a foot before the body": (
        "<tfoot><tr><td>sum<td>3<thead><tr><th>a<th>b<tbody><tr><td>x<td>3",
        [["a", "b"], ["x", "3"], ["sum", "3"]],
    ),
    "no headings": ("<tr><td>1<td rowspan=2>2<tr><td>3", [["", ""], ["1", "2"], ["3", "2"]]),
    "columns declared": ("<colgroup><col span=9><tr><th>a<th>b<tr><td>1<td>2", [["a", "b"], ["1", "2"]]),
    "lines, lists and bars": (
        "<tr><th>a<th>b<tr><td>x<br>y<td><p>p</p><ul><li>q</ul>r|s",
        [["a", "b"], ["x y", "p - q r\\|s"]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPANS)
def test_each_value_of_a_table_stands_in_its_own_columns_and_rows(name: str) -> None:
    rows, fields = SPANS[name]
    assert table(rows) == fields


@given(st.data())
def test_whatever_spans_what_each_value_stands_in_the_column_that_the_layout_of_html_gives_it(
    data: st.DataObject,
) -> None:
    spans = st.tuples(st.integers(1, 3), st.integers(1, 3))
    rows = data.draw(st.lists(st.lists(spans, min_size=1, max_size=4), min_size=2, max_size=5))
    taken: dict[tuple[int, int], str] = {}
    page = ""
    for number, row in enumerate(rows):
        page += "<tr>"
        column = 0
        for at, (down, across) in enumerate(row):
            while (number, column) in taken:
                column += 1
            value = f"v{number}x{at}"
            for below in range(down):
                taken.update({(number + below, column + more): "" for more in range(across) if more})
                taken[number + below, column] = value
            column += across
            page += f"<td rowspan={down} colspan={across}>{value}</td>"
    assume(any(len(row) > 1 for row in rows))
    shown = table(page)[1:]
    for number, line in enumerate(shown):
        for column, value in enumerate(line):
            assert value in ("", taken.get((number, column), ""))
    for (number, column), value in taken.items():
        if value and number < len(rows):
            assert shown[number][column : column + 1] in ([value], [])
    assert {value for line in shown for value in line if value} >= set(taken.values()) - {""}


SEEN = {
    # powers, subscripts and marks of notes
    "10<sup>6</sup>": "10^6",
    "10<sup>-3</sup> m": "10^-3 m",
    "10<sup>n+1</sup>": "10^(n+1)",
    "10<sup>(n+1)</sup>": "10^(n+1)",
    "2<sup>2<sup>3</sup></sup>": "2^(2^3)",
    "10<sup> 6 </sup>bn": "10^6 bn",
    "10<sup>6</sup>5": "10^(6)5",
    "H<sub>2</sub>O": "H_2O",
    "x<sub>i+1</sub>": "x_(i+1)",
    "5<sup>1</sup>/<sub>2</sub> cups": "5 1/2 cups",
    "400.01<sup>3</sup>": "400.01^3",
    "400.01<sup><a href=#n>3</a></sup>": "400.01^3",
    "400.01<sup>[3]</sup>": "400.01[3]",
    "the 1<sup>st</sup> of May": "the 1st of May",
    "Mill<sup>®</sup>": "Mill®",
    '10<span style="vertical-align: super">6</span>': "10^6",
    # formulas
    "<math><mi>A</mi><mo>=</mo><mi>π</mi><msup><mi>r</mi><mn>2</mn></msup></math>": "A=πr^2",
    "<math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac></math>": "(a+b)/2",
    "<math><msup><mi>e</mi><mrow><mi>i</mi><mi>x</mi></mrow></msup></math>": "e^(ix)",
    "<math><msup><mi>x</mi><mrow><mn>2</mn></mrow></msup></math>": "x^2",
    "<math><msqrt><mi>n</mi></msqrt></math>": "√(n)",
    "<math><mroot><mi>n</mi><mn>3</mn></mroot></math>": "√n^(1/3)",
    "<math><munderover><mo>∑</mo><mn>0</mn><mi>n</mi></munderover></math>": "∑_0^n",
    "<math><mi>sin</mi><mi>x</mi></math>": "sin x",
    "<math><mn>2</mn><mn>3</mn></math>": "2 3",
    "<math><semantics><annotation encoding=application/x-tex>\\hat x</annotation></semantics></math>": "\\hat x",
    # forms
    "<select><option>EUR<option selected>USD</select>": "USD",
    "<select><option>EUR<option>USD</select>": "EUR",
    "<select><optgroup label=g><option>EUR<option selected>USD</optgroup></select>": "USD",
    "<select multiple><option selected>a<option>b<option selected>c</select>": "a, c",
    "x<select><option>a</select>y": "x a y",
    "<input type=checkbox checked>Paid": "[x] Paid",
    "<input type=radio>Paid": "[ ] Paid",
    "Name:<input value='Ada Byron'>": "Name: Ada Byron",
    "<textarea>Ada\nByron</textarea>": "Ada  \nByron",
    "a<input type=hidden value=no><input type=password value=no>b": "ab",
    "<button>Yes</button><button>No</button>": "Yes No",
    "<label>Total</label><output>12</output>": "Total 12",
    "<input list=l><datalist id=l><option>no</datalist>x": "x",
    # what isn't shown
    "<p hidden>no</p>yes": "yes",
    "<p style='display: none'>no</p>yes": "yes",
    "<p style='color:red;DISPLAY:NONE !important'>no</p>yes": "yes",
    "<p style='visibility:hidden'>no</p>yes": "yes",
    "<p style='visibility:hidden'>no<b style='visibility:visible'>yes</b></p>": "**yes**",
    "<div style='font-size:0'>no<span style='font-size:12px'>yes</span></div>": "yes",
    "<p style='opacity:0'>no</p>yes": "yes",
    "<div style='max-height:0;overflow:hidden'>no</div>yes": "yes",
    "<style>.x{display:none}</style><p class='a x'>no<p>yes": "yes",
    "<style>/* } */ p#x , .y {display:none}</style><p id=x>no<p class=y>no<div id=x>yes": "yes",
    "<style>@media print {.x{display:none}}</style><p class=x>yes": "yes",
    "<style>.x{display:none} .x{display:block}</style><p class=x>yes": "yes",
    "<template>no</template><script>no</script><noscript>no</noscript><!-- no -->yes": "yes",
    "<dialog>no</dialog><dialog open>yes</dialog>": "yes",
    "<video>no</video>yes": "yes",
    "<div hidden><div>no</div><p>no<br>no</div>yes": "yes",
    # what is shown
    "<p aria-hidden=true>yes</p>": "yes",
    "<details><summary>Why</summary>So.</details>": "Why\n\nSo.",
    "<svg><title>no</title><desc>no</desc><text>A</text><text>B</text></svg>": "A B",
    "<iframe srcdoc='&lt;p&gt;yes'>no</iframe>": "yes",
    "<ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>です": "東京です",
    "&amp;amp; &lt;b&gt;": "&amp; <b>",
    "<p dir=rtl>שלום 12</p>": "שלום 12",
    "<a>Home</a><a>About</a>": "Home About",
    "400<img src=x>3": "400 3",
    "<span style='display:inline-block'>400</span><span style='display:inline-block'>3</span>": "400 3",
    "<div style='display:inline'>4</div><div style='display:inline'>00</div>": "400",
    "<div>400</div><div>3</div>": "400\n\n3",
    "<span>400</span><span>3</span>": "4003",
    # lists and the like
    "<ol start=3><li>a<li value=9>b</ol>": "3. a\n9. b",
    "<ol style='list-style-type:disc'><li>x</ol>": "- x",
    "<ol reversed><li>a<li>b</ol>": "2. a\n1. b",
    "<ol type=a><li>x<li>y</ol>": "a. x\nb. y",
    "<ol style='list-style-type:upper-roman' start=4><li>x</ol>": "IV. x",
    "<ul><li>a<ol><li>b<li>c</ol><li>d</ul>": "- a\n  1. b\n  2. c\n- d",
    "<dl><dt>T<dd>a<dd>b</dl>": "T\n:   a\n:   b",
    "<blockquote><p>a<p>b</blockquote>": "> a\n>\n> b",
    "<pre>a\n  b</pre>": "```\na\n  b\n```",
    "<pre>```\nx</pre>": "````\n```\nx\n````",
    "<p>a <b> b </b>c <del>d</del>": "a **b** c ~~d~~",
    "<b><b>a</b></b>": "**a**",
    "<code>~n<em>name</em></code>": "`~nname`",
    "<table role=presentation><tr><td>a<td>b</table>": "a\n\nb",
    "<table><tr><td><table><tr><td>a<td>b</table><td>c</table>": "|  |  |\n| --- | --- |\n| a | b |\n\nc",
    "<table><caption>C</caption><tr><th>a<tr><td>1</table>": "C\n\n| a |\n| --- |\n| 1 |",
    "<title>T</title><p>x": "# T\n\nx",
    "<title>T</title><h1>H</h1>": "# H",
}  # fmt: skip


@pytest.mark.parametrize("page", SEEN)
def test_what_a_person_sees_is_read_and_nothing_else(page: str) -> None:
    assert read_html(page) == SEEN[page] + "\n"


ENCODED = {
    "a mark": "\ufeffGrüße 5 €".encode(),
    "UTF-16 with a mark": "<p>Grüße 5 €".encode("utf-16"),
    "UTF-16 without a mark": "<html><body><p>Grüße 5 €</p></body></html>".encode("utf-16-le"),
    "a meta": b"<meta charset=windows-1252><p>" + "Grüße 5 €".encode("cp1252"),
    "latin-1, as browsers read it": b"<meta charset='ISO-8859-1'>" + "Grüße 5 €".encode("cp1252"),
    "ascii, as browsers read it": b"<meta charset=us-ascii>" + "Grüße 5 €".encode("cp1252"),
    "http-equiv": b"<meta http-equiv=content-type content='text/html; charset=iso-8859-15'>"
    + "Grüße 5 €".encode("iso-8859-15"),
    "an XML declaration": b"<?xml version='1.0' encoding='iso-8859-15'?><p>" + "Grüße 5 €".encode("iso-8859-15"),
    "a wrong declaration": b"<meta charset=iso-8859-1>" + "Grüße 5 €".encode(),
    "UTF-16 declared in what is ASCII": b"<meta charset=utf-16>" + "Grüße 5 €".encode(),
    "UTF-8 declared for what isn't": b"<meta charset=utf-8>" + "Die Straße ist grün. Grüße 5 €".encode("cp1252"),
    "an unknown label": b"<meta charset=x-nobody>" + "Die Straße ist grün. Grüße 5 €".encode(),
    "one bad byte": b"<meta charset=utf-8>caf\xe9 " + "Straße grün größer Grüße Öl ändern über Grüße 5 €".encode(),
    "a zero": b"a\0b " + "Grüße 5 €".encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODED)
def test_a_page_is_decoded_as_browsers_do(name: str) -> None:
    assert "Grüße 5 €" in read_html(ENCODED[name])


def test_letters_of_a_page_that_cannot_be_read_are_told() -> None:
    content = read("<p>Grüße, Straße\n<p>schön".encode() * 2 + b"<p>x\x81y", "html", "a.html")
    assert "x\ufffdy" in content.text
    assert [part.part for part in content.unread] == ["line 3"]


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("latin1", "cp1252"), ("gb2312", "gb18030"), ("x-sjis", "cp932"), ("UTF8", "utf_8"), ("utf-16le", "utf_16_le"),
        ("iso-8859-9", "cp1254"), (" koi8-r ", "koi8_r"), ("nobody", None), ("base64", None), ("", None),
    ],
)  # fmt: skip
def test_a_label_is_the_encoding_that_browsers_take_it_for(label: str, codec: str | None) -> None:
    assert codec_of(label) == codec


NESTED = ("div", "span", "b", "blockquote", "font", "section", "x-y", "sup", "em", "details", "center", "article")


@pytest.mark.parametrize("tag", NESTED)
def test_text_at_any_depth_is_read(tag: str) -> None:
    text = read_html(f"<{tag}>" * 20_000 + "The contract ends in May." + f"</{tag}>" * 20_000)
    assert "The contract ends in May." in text


@pytest.mark.parametrize("tags", [("table", "tr", "td"), ("ul", "li"), ("dl", "dd"), ("ol", "li")])
def test_lists_and_tables_at_any_depth_are_read(tags: tuple[str, ...]) -> None:
    assert "The end." in read_html("".join(f"<{tag}>" for tag in tags) * 5_000 + "The end.")


def _seconds(page: str) -> float:
    """As in a reader's process: without the collector."""
    gc.disable()
    try:
        begin = time.process_time()
        read_html(page)
        return time.process_time() - begin
    finally:
        gc.enable()


HOSTILE = (
    "<table><tr><td rowspan=65534>x", "<tr><td colspan=1000>x<td>y", "<math><msup><mi>x</mi>", "<a><sup>1", "&lt;b<",
    "<blockquote>x", "<ul><li>x", "<style>/* .a{", "<select><option>", "x \u00a0  ", "<b><i>x<p>", "```", "<!--",
)  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_time_grows_with_the_page(piece: str) -> None:
    few, many = "<table>" + piece * 1_500, "<table>" + piece * 6_000
    assert min(_seconds(many) for _ in range(2)) < 7 * min(_seconds(few) for _ in range(3)) + 0.2


@given(
    st.lists(
        st.sampled_from(["<b>", "</b>", "<p>", "</p>", "<sup>", "</sup>", "<td>", "<table>", "</table>", " ", "<li>"])
    )
)
def test_no_word_is_lost_whatever_the_elements(pieces: list[str]) -> None:
    text = read_html("".join(f"{piece}w{number}w" for number, piece in enumerate(pieces)))
    assert [number for number in range(len(pieces)) if f"w{number}w" not in text] == []
