"""Pages of HTML with very deep elements: as the parser reads them, at a cost linear in the page."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.documents.readers.html import page
from tasks.documents.readers.html.parse import parse, parse_matched
from tasks.documents.readers.markup import read_html
from tests.costs.files import FILES
from tests.costs.hostile import TEXTS as HOSTILE
from tests.costs.measured import fault

NAMES = (
    "a", "b", "body", "br", "button", "center", "dd", "div", "dl", "font", "form", "h1", "head", "html", "i", "li",
    "o:p", "option", "p", "plaintext", "script", "select", "span", "style", "svg", "table", "td", "textarea", "title",
    "tr", "ul", "x-y", "xmp",
)  # fmt: skip
MARKS = ("<{}>", "</{}>", "</{} >", '<{} a="</b>">', "</{} a='>'>", "</{}-->", "</{}")
TEXTS = (
    "x", "é ", " ", "<", "<!--", "-->", "<!-- a -->", "<!-->", '"', "'", "=", ">", "/", "<!", "<?", "</", "</>",
    "&lt;", "&", "<img src='", "<a b=", "\n", "]]>", "<![CDATA[", "<!DOCTYPE html>", "</B>", "<BODY>",
)  # fmt: skip
TAGS = st.builds(str.format, st.sampled_from(MARKS), st.sampled_from(NAMES))
PAGES = st.lists(TAGS | TAGS | st.sampled_from(TEXTS), max_size=25).map("".join)


class Heard:
    """What a parser tells, with text in one piece."""

    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.events.append(("start", tag, *(f"{name}={value}" for name, value in attributes.items())))

    def end(self, tag: str) -> None:
        self.events.append(("end", tag))

    def data(self, text: str) -> None:
        if self.events and self.events[-1][0] == "text":
            text = self.events.pop()[1] + text
        self.events.append(("text", text))

    def comment(self, text: str) -> None:
        """Nothing: a page leaves it out."""

    def close(self) -> None:
        """Nothing."""


def heard(text: str, by: Callable[[bytes, Heard], None]) -> list[tuple[str, ...]]:
    target = Heard()
    by(text.encode() or b" ", target)
    return target.events


@given(PAGES)
def test_tags_that_do_nothing_are_left_out_unseen(text: str) -> None:
    assert heard(text, parse_matched) == heard(text, parse)


@pytest.mark.parametrize("cell", ["<b>m</b>", "m</i>", "m<!-- </i-->", "<textarea>m</i></textarea>", "m</i a='>'>"])
def test_a_deep_page_reads_as_a_shallow_one(monkeypatch: pytest.MonkeyPatch, cell: str) -> None:
    rows = f"<ul><li>a<table><tr><th>b<th>c<tr><td>1<td>{cell}</table><body><p>d</ul>" * 40
    shallow = read_html(rows)
    monkeypatch.setattr(page, "DEEPEST", 2)
    assert read_html(rows) == shallow


def test_all_text_of_a_very_deep_page_is_read() -> None:
    words = [f"word{number}" for number in range(3000)]
    text = read_html("".join(f"<font><div>{word}</i></body></div>" for word in words))
    assert text.split() == words


@pytest.mark.parametrize(
    "title", ["ends of nothing in deep elements", "ends that a table keeps in", "bodies in deep elements"]
)
def test_a_tag_that_does_nothing_costs_no_look_through_all_open_elements(title: str) -> None:
    assert fault(HOSTILE[title], FILES["html: page"]) is None
