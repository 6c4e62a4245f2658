"""Headings of Markdown and reStructuredText, definitions of code, bookmarks of PDF."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.documents.document import Section
from tasks.documents.readers.code import read_code
from tasks.documents.readers.grammars import GRAMMARS
from tasks.documents.readers.pdf import read_pdf
from tasks.documents.sections import LONGEST_TITLE, markdown_sections, rst_sections, sections_of
from tests.documents import made

MARKDOWN = """---
title: no heading
---
# Mill

text # not one
```sh
# a comment
~~~
```

Under
=====

- item
---

Second
------
   ### Third ###\t
#hashtag
####
"""
RST = """=====
 Mill
=====

Part
----

Deep
~~~~

Next
----

====  ====
a     b
====  ====
"""


def titles(sections: tuple[Section, ...]) -> list[tuple[int, str]]:
    return [(section.level, section.title) for section in sections]


def test_markdown_headings_are_found_and_nothing_else() -> None:
    found = markdown_sections(MARKDOWN)
    assert titles(found) == [(1, "Mill"), (1, "Under"), (2, "Second"), (3, "Third"), (4, "")]
    assert MARKDOWN[found[1].start :].startswith("Under\n=====")
    assert MARKDOWN[found[3].start :].startswith("   ### Third")


def test_the_levels_of_rst_are_those_of_its_marks_in_order_of_appearance() -> None:
    found = rst_sections(RST)
    assert titles(found) == [(1, "Mill"), (2, "Part"), (3, "Deep"), (2, "Next")]
    assert found[0].start == 0


def test_only_names_that_say_so_have_headings() -> None:
    text = "# one\n\ntwo\n===\n"
    assert [len(sections_of(text, name)) for name in ("a.MD", "a.txt", "a.rst", "a")] == [2, 0, 1, 0]


def test_a_long_title_is_shortened_to_one_line() -> None:
    (section,) = markdown_sections("# " + "long   title " * 50)
    assert len(section.title) == LONGEST_TITLE
    assert "  " not in section.title


@settings(deadline=None)
@given(text=st.text(st.sampled_from("# =-~`\n\ta\u00e9\u3000*+"), max_size=200))
def test_sections_are_in_order_and_begin_lines(text: str) -> None:
    for found in (markdown_sections(text), rst_sections(text)):
        starts = [section.start for section in found]
        assert starts == sorted(set(starts))
        assert all(start == 0 or text[start - 1] == "\n" for start in starts)


@pytest.mark.parametrize("line", ["# " + "#" * 200_000, "=" * 200_000, "`" * 200_000, "a\n" * 100_000, " " * 200_000])
def test_hostile_lines_take_no_time(line: str) -> None:
    markdown_sections(line)
    rst_sections(line)


SOURCES = {
    "a.py": ("import os\n", "# of both\n@cached\ndef f(\u00e9):\n    pass\n", "class C:\n    def g(self): ...\n"),
    "a.js": ("import a from 'a'\n", "/** doc */\nfunction f() {\n}\n", "export class C {}\n"),
    "a.ts": ("type A = string\n", "// of B\n@dec\nexport class B {}\n"),
    "a.tsx": ("const x = 1\n", "export const F = () => <a/>\n"),
    "a.java": ("package a;\n", "/** doc */\n@X\nclass A {}\n"),
    "a.go": ("package m\n\n", "// F does\nfunc F() {\n}\n", "type T struct{}\n"),
    "a.rs": ("/// doc\n#[derive(Debug)]\nstruct A {}\n", "impl A { fn f() {} }\n"),
    "a.c": ("int x;\n", "int main() {\n}\n"),
    "a.hpp": ("namespace a {\n", "int f();\n", "class B {};\n}\n"),
    "a.cs": ("using X;\n", "namespace N {\n", " [A]\n class B { }\n", " class C {}\n}\n"),
    "a.rb": ("# x\nclass A\nend\n", "def f\nend\n"),
    "a.php": ("<?php\n", "function f() {}\n", "class B {}\n"),
    "a.sh": ("x=1\n", "f() {\n a\n}\n"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_each_definition_is_a_section_with_what_leads_it(name: str) -> None:
    source = "".join(SOURCES[name])
    content = read_code(source.encode(), name)
    assert (content.text, content.code) == (source, True)
    ends = [section.start for section in content.sections[1:]] + [len(source)]
    parts = [source[section.start : end] for section, end in zip(content.sections, ends, strict=True)]
    assert [part.strip() for part in parts] == [part.strip() for part in SOURCES[name]]


def test_every_grammar_that_is_named_is_tried() -> None:
    assert all(any(f"a{suffix}" in SOURCES for suffix in suffixes) for suffixes in GRAMMARS.values())


def test_a_definition_is_named_by_its_own_line() -> None:
    source = "@cached(\n    1)\ndef f(a, b):\n    pass\n"
    assert titles(read_code(source.encode(), "a.py").sections) == [(1, "def f(a, b)")]


@settings(deadline=None, max_examples=60)
@given(text=st.text(st.sampled_from("def class(x):\n {}@#/*\"'\u00e9\U0001f600"), max_size=200))
def test_sections_of_any_text_as_code_are_in_order(text: str) -> None:
    for name in ("a.py", "a.cpp", "a.php"):
        starts = [section.start for section in read_code(text.encode(), name).sections]
        assert starts == sorted(set(starts))
        assert all(start == 0 or text[start - 1] == "\n" for start in starts)


def test_the_bookmarks_of_a_pdf_are_its_sections() -> None:
    data = made.pdf(
        [["First", "it turned"], ["more"], ["by day", "Second", "and night"]], marks=[("First", 0), ("Second", 2)]
    )
    content = read_pdf(data)
    assert titles(content.sections) == [(1, "First"), (1, "Second")]
    assert [content.text[section.start :].split()[0] for section in content.sections] == ["First", "Second"]
