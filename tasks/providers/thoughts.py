"""Separate a model's answer from the thoughts before it.

Some servers return both in one text, with marks that depend on the model: known are those of DeepSeek,
Qwen, Magistral, Kimi, Gemma, Seed and gpt-oss (Harmony, https://cookbook.openai.com/articles/openai-harmony).
Chat templates often open the thoughts themselves, so that only their closing mark is in the answer.
"""

import json
import re

NAMES = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning)"
OPENING = re.compile(
    rf"\s*(?:<{NAMES}(?:\s[^<>]{{0,80}})?>|\[THINK\]|◁think▷|<\|think\|>|<\|begin_of_thought\|>|<\|channel>thought"
    r"|(?:<\|start\|>\s?assistant\s?)?<\|channel\|>\s?(?:analysis|commentary))",
    re.IGNORECASE,
)
CLOSING = re.compile(
    rf"</\s?{NAMES}\s?>|\[/THINK\]|◁/think▷|<\|/think\|>|<\|end_of_thought\|>|<channel\|>"
    r"|<\|channel\|>\s?final\b[^<]{0,40}(?:<\|constrain\|>\s?\w{1,40}\s?)?<\|message\|>",
    re.IGNORECASE,
)
# Harmony without its special tokens: words, which are marks only together.
BARE_OPENING, BARE_CLOSING = re.compile(r"\s*analysis(?=[A-Z])"), "assistantfinal"
HARMONY_ENDS = ("<|return|>", "<|end|>")
# A mark that the text only mentions stands in quotes, or in a sentence that continues after it.
QUOTES = frozenset("`\"'\u201c\u201d\u2018\u2019\u00ab\u00bb")
GOES_ON = re.compile(r" ?[,.;:?!)]| [a-z]")
# How many JSON objects are searched for marks in their strings: each search may take time linear in the text.
LOOKS = 8
DECODER = json.JSONDecoder(strict=False)


def answer_of(text: str) -> str:
    """Return what follows the end of the last thoughts; an empty string if they don't end.

    A text without thoughts is returned unchanged. A mark that is quoted, or inside a
    string of a JSON object, doesn't end thoughts. Linear in the text's length.
    """
    end = _end_of_thoughts(text)
    if end is not None:
        rest = text[end:]
        return "" if OPENING.match(rest) else _without_ends(rest)
    if OPENING.match(text):
        return ""
    if BARE_OPENING.match(text) and BARE_CLOSING in text:
        return text.rpartition(BARE_CLOSING)[2]
    return text


def _end_of_thoughts(text: str) -> int | None:
    """Return where the last mark ends that closes thoughts, or None."""
    expected = OPENING.match(text) is not None
    end, inside, looks = 0, 0, 0
    for mark in CLOSING.finditer(text):
        if mark.start() < inside:
            continue
        if looks < LOOKS and (start := text.find("{", max(end, inside), mark.start())) >= 0:
            looks += 1
            inside = _end_of_object(text, start)
            if mark.start() < inside:
                continue
        # The first mark behind an opening one closes it, whatever stands around it.
        if (expected and not end) or not _is_spoken_of(text, mark):
            end = mark.end()
    return end or None


def _end_of_object(text: str, start: int) -> int:
    """Return where the JSON that begins with this brace ends; 0 where it isn't JSON."""
    try:
        return DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return 0


def _is_spoken_of(text: str, mark: re.Match[str]) -> bool:
    around = {text[mark.start() - 1 : mark.start()], text[mark.end() : mark.end() + 1]}
    return bool(around & QUOTES) or GOES_ON.match(text, mark.end()) is not None


def _without_ends(text: str) -> str:
    for mark in HARMONY_ENDS:
        text = text.removesuffix(mark)
    return text
