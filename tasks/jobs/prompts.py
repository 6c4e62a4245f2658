"""Prompt templates: read, checked, filled. A document's text is never a template."""

import re
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import UserMistake
from tasks.routing.catalogue import DATA

FOLDER = DATA / "prompts"
FIELD = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Prompts:
    """The templates of one flow: over a chunk, over answers, over an answer and a chunk."""

    map: str
    reduce: str
    refine: str
    go_on: str


def load_prompts(flow: str, custom: Path | None) -> Prompts:
    """Return the shipped templates of a flow, or those around the user's own.

    Raises UserMistake for a file that can't be read, without {text}, or with an
    unknown field.
    """
    go_on = _shipped("continue.txt").strip()
    if custom is None:
        map_, reduce, refine = (_shipped(f"{flow}.{stage}.txt") for stage in ("map", "reduce", "refine"))
        return Prompts(map_, reduce, refine, go_on)
    template = _checked(custom)
    instruction = template.replace("{text}", "(the document)").strip()
    reduce, refine = (fill(_shipped(f"custom.{stage}.txt"), instruction=instruction) for stage in ("reduce", "refine"))
    return Prompts(template, reduce, refine, go_on)


def fill(template: str, **fields: str) -> str:
    """Put each value in place of its {field}, in one pass: a value is never looked into."""
    return FIELD.sub(lambda match: fields.get(match[1], match[0]), template)


def _shipped(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8").rstrip("\n")


def _checked(path: Path) -> str:
    try:
        template = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserMistake(f"--prompt {path}: can't be read: {error}") from error
    if template.count("{text}") != 1:
        raise UserMistake(f"--prompt {path}: {{text}} must stand in it once: it says where the document's text goes")
    for name in FIELD.findall(template):
        if name != "text":
            raise UserMistake(f"--prompt {path}: unknown field {{{name}}}: only {{text}} is known")
    return template
