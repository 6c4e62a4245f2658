"""Texts that break what reads them, in families: each grows to any length, and is the worst for somebody."""

import base64
import random
from collections.abc import Callable, Mapping

Text = Callable[[int], str]


def _again(unit: str) -> Text:
    return lambda length: (unit * (length // len(unit) + 1))[:length]


def _deep(*parts: str) -> Text:
    """Each part again and again, for its share of the text, one behind the other."""
    return lambda length: "".join(part * (length // len(parts) // len(part)) for part in parts)


def _between(head: str, unit: str, tail: str) -> Text:
    """A long run between two others."""
    return lambda length: head + _again(unit)(length - len(head) - len(tail)) + tail


def _base64(length: int) -> str:
    return base64.b64encode(random.Random(1).randbytes(length)).decode()[:length]


def _noise(length: int) -> str:
    return random.Random(2).randbytes(length).decode("latin-1")


FAMILIES: Mapping[str, Mapping[str, Text]] = {
    "blanks": {
        "a heading of spaces": _between("# x", " ", "y"),
        "spaces": _again(" "),
        "tabs before a letter": _between("a\n", "\t", "b"),
        "non-breaking spaces": _between("a", "\u00a0", "b"),
        "a word and many spaces, again and again": _again("a" + " " * 999),
    },
    "lines": {
        "newlines": _again("\n"),
        "carriage returns": _again("\r"),
        "CRLF": _again("\r\n"),
        "lines of one letter": _again("a\n"),
        "lines of spaces": _again("   \n \t\n"),
        "form feeds and other ends of lines": _again("\f\n\x0b\x85\u2028\u2029"),
    },
    "one long word": {
        "a letter": _again("a"),
        "letters and accents": _again("a\u00e9"),
        "digits": _again("1"),
        "a fraction": _between("0.", "7", "e5"),
        "base64": _base64,
        "noise": _noise,
        "NUL": _again("\0"),
    },
    "scripts": {
        "CJK without an end": _again("\u6f22\u5b57\u4eee\u540d"),
        "CJK sentences": _again("\u6f22\u5b57\u3002\u300d\u3001"),
        "Arabic": _again("\u0644\u0627 \u0643\u062a\u0627\u0628\u060c "),
        "Thai": _again("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35"),
        "Hangul jamo": _again("\u1100"),
        "conjuncts of Devanagari": _again("\u0915\u094d"),
        "Arabic number signs, which join what follows": _again("\u0600"),
    },
    "clusters": {
        "regional indicators": _again("\U0001f1ee"),
        "combining marks": _between("e", "\u0301", ""),
        "variation selectors": _between("\u2764", "\ufe0f", "x"),
        "one family without an end": _again("\U0001f468\u200d"),
        "emoji": _again("\U0001f600"),
        "zero-width spaces": _again("\u200b"),
        "ligatures that become words": _again("\ufdfa"),
        "characters of no text": _again("\ufffd"),
    },
    "headings": {
        "closing marks": _between("# x ", "#", " y"),
        "marks parted by spaces": _between("# x", " #", " y"),
        "one underline": _between("a\n", "=", ""),
        "underlines": _again("a\n==\n"),
        "headings of every depth": _again("# a\n## b\n### c\n#### d\n##### e\n###### f\n"),
        "lines of one adornment": _again("====\n"),
        "front matter without an end": _between("---\na: b\n", "--- x\n", ""),
    },
    "marks": {
        "backticks": _between("", "`", "a`"),
        "fences": _again("```\n~~~\n"),
        "comments that never end": _again("<!-- "),
        "asterisks": _again("*a **"),
        "rows of a table": _again("|a|"),
        "quotes in quotes": _again("> "),
        "links": _again("[a]("),
        "addresses": _again("http://a:b@c?"),
        "dots and quotes": _again('."\u2019)'),
        "words to be joined": _again("ex-\nam\u00ad\n"),
    },
    "tags": {
        "open marks": _again("<"),
        "tags in tags": _again("<div>"),
        "lists in lists": _again("<ul><li>"),
        "tables in tables": _again("<table><tr><td>"),
        "attributes": _between("<p ", "a=b ", ">c</p>"),
        "ends without a beginning": _again("</document-2 "),
        "an end that never closes": _between("</document", " ", ""),
        "ends of numbered marks": lambda length: "".join(f"</document-{n}>" for n in range(length // 14))[:length],
        "ends of nothing in deep elements": _deep("<div>", "</b>"),
        "ends that a table keeps in": _deep("<b><table>", "<i>", "</b>"),
        "bodies in deep elements": _deep("<div>", "<body>", "</body>"),
        "entities": _again("&amp;&#x26;&"),
        "thoughts": _again("<think>"),
    },
    "code": {
        "braces": _again("{"),
        "pairs of braces": _again("{}"),
        "objects in objects": _again('{"a":'),
        "brackets": _again("["),
        "parentheses": _again("f("),
        "quotes": _again('"'),
        "backslashes": _between('"', "\\", '"'),
        "escapes": _between('{"a": "', "\\ud800", '"}'),
        "open comments": _again("/* "),
        "conditions": _again("#if a\n"),
        "definitions": _again("def f():\n  x\n"),
        "fields": _again("{text}{column:a}"),
        "encoded words": _again("=?utf-8?q?a?= "),
        "rows of cells": _again('a,"b",;'),
    },
}
TEXTS: Mapping[str, Text] = {name: text for family in FAMILIES.values() for name, text in family.items()}
