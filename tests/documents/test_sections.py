"""Headings of Markdown and reStructuredText, definitions of code, bookmarks of PDF."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.documents.document import Section
from tasks.documents.headings import LONGEST_TITLE, markdown_sections, rst_sections, sections_of
from tasks.documents.readers.code import read_code
from tasks.documents.readers.grammars import GRAMMARS
from tasks.documents.readers.pdf.reader import read_pdf
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
    "a.py": (
        "import os\n",
        "# of both\n@cached\ndef f(\u00e9):\n    pass\n",
        "class C:\n    x = 1\n",
        "    def g(self): ...\n",
    ),
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


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# Title\n---\n\ntext", [(1, "Title")]),
        ("```one``` is inline code\n\n# Kept\n", [(1, "Kept")]),
        ("```\ncode\n```python\n# comment\n```\n\n# Real\n", [(1, "Real")]),
        ("# Learning C#", [(1, "Learning C#")]),
        ("---\n\n# Intro\n\ntext\n\n---\n\n# Next", [(1, "Intro"), (1, "Next")]),
        ("```\nx\n\n```\n---\n# A", [(1, "A")]),
        ("<!--\n# hidden\n-->\n# Seen\n", [(1, "Seen")]),
        ("<!-- never closed\n# Seen\n", [(1, "Seen")]),
        ("Title\r\n=====\r\n\r\nSub\r\n---\r\n", [(1, "Title"), (2, "Sub")]),
        ("---\r\ntitle: x\r\n# comment\r\n---\r\n\r\n# Real\r\n", [(1, "Real")]),
        ("# One\n\n\f# Two\n", [(1, "One"), (1, "Two")]),
    ],
)
def test_what_looks_like_a_heading_of_markdown(text: str, found: list[tuple[int, str]]) -> None:
    assert titles(markdown_sections(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Title\r\n=====\r\n\r\ntext\r\n", [(1, "Title")]),
        ("A\n===\nB\n===\n", [(1, "A"), (1, "B")]),
        ("AB\n==\n", [(1, "AB")]),
    ],
)
def test_what_looks_like_a_heading_of_restructured_text(text: str, found: list[tuple[int, str]]) -> None:
    assert titles(rst_sections(text)) == found


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("a.py", "x = 1  # the x\n\ndef bar():\n    return 1\n\ndef baz(): pass\n", "x = 1|def bar()|def baz(): pass"),
        ("a.go", "package m\nvar a = 1 // one\n\nfunc F() {\n}\n", "package m|var a = 1|func F()"),
        ("a.c", "int f(void)\n{\n  return 1;\n} /* f */\n\nint g(void)\n{\n}\n", "int f(void)|int g(void)"),
        ("a.h", "#ifndef A\n#define A\nint f();\nint g();\n#endif\n", "#ifndef A|#define A|int f();|int g();"),
        ("a.ts", "export namespace X {\n  class A {}\n  class B {}\n}\n", "namespace X|class A {}|class B {}"),
        ("a.java", '@Table(\n  name = "x"\n)\npublic class Foo {\n}\n', "public class Foo"),
        ("a.c", "static int\nfoo(void)\n{\n}\n", "foo(void)"),
        ("a.cpp", "template <typename T>\nT max(T a) {\n return a;\n}\n", "T max(T a)"),
        ("a.py", "def foo():\r\n    pass\r\n", "def foo()"),
    ],
)
def test_definitions_begin_where_they_begin_and_are_named_by_their_own_line(name: str, source: str, found: str) -> None:
    sections = read_code(source.encode(), name).sections
    assert [section.title for section in sections] == found.split("|")
    ends = [section.start for section in sections[1:]] + [len(source)]
    parts = [source[section.start : end] for section, end in zip(sections, ends, strict=True)]
    assert all(section.title in part for section, part in zip(sections, parts, strict=True))


def test_code_in_one_line_takes_no_time() -> None:
    source = "".join(f"var v{number}=f({number});" for number in range(100_000))
    assert len(read_code(source.encode(), "a.js").sections) == 1


@pytest.mark.parametrize(
    ("pages", "marks", "found"),
    [
        (["We give a Summary|Methods|m1|Summary|s1"], [("Methods", 0), ("Summary", 0)], ["Methods", "Summary"]),
        (["An Article of the law|Art|a1"], [("Art", 0)], ["Art"]),
        (["INTRODUCTION|x|1  METHODS|y"], [("Introduction", 0), ("1 Methods", 0)], ["Introduction", "1 Methods"]),
        (
            ["Mill|it turned", "Weir|it held", "Race|it ran"],
            [("Race", 2), ("Mill", 0), ("Weir", 1)],
            ["Mill", "Weir", "Race"],
        ),
    ],
)
def test_bookmarks_are_found_where_their_titles_stand(
    pages: list[str], marks: list[tuple[str, int]], found: list[str]
) -> None:
    content = read_pdf(made.pdf([page.split("|") for page in pages], marks=marks))
    assert [section.title for section in content.sections] == found
    lines = [content.text[section.start :].split("\n")[0].split() for section in content.sections]
    assert [" ".join(line).lower() for line in lines] == [title.lower() for title in found]


def test_lines_of_tables_and_headings_of_chapters_are_no_running_heads() -> None:
    table = [[f"2021-01-0{day} 12.50 {day * 100 + line}.00" for line in range(4)] for day in range(1, 5)]
    assert read_pdf(made.pdf(table)).text.count("2021") == 16
    chapters = [[f"Chapter {number}", f"text of {number}", "and more"] for number in range(1, 6)]
    assert read_pdf(made.pdf(chapters)).text.count("Chapter") == 5
