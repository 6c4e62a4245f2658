"""Read, check and fill prompt templates. A document's text is data: never a template, and unable to close its marks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tasks.base.errors import UserMistake
from tasks.models.catalogue import DATA

FOLDER = DATA / "prompts"
FIELD = re.compile(r"\{([^{}\n]+)\}")
# A name in braces that counts as an unknown field, and not as plain text.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# In a checked template, the prefix of a field that stands for a column of the documents' table.
COLUMN = "column:"
TEXT, SCHEMA = "text", "schema"
CLOSING = re.compile(r"</([A-Za-z_][\w.:-]*)\s*>")
# A base model's template ends with an opening mark, after which the answer begins; the closing mark ends the answer.
OPEN_AT_END = re.compile(r"<([A-Za-z_][\w.:-]*)>\s*\Z")
OTHERWISE = "chat"
STAGES = ("stuff", "map", "reduce", "refine")


@dataclass(frozen=True, slots=True)
class Prompts:
    """The templates of one flow for one kind of model.

    `stuff` asks over a whole text, `map` over a chunk, `reduce` over answers, `refine` over an answer and
    a chunk; `continue_prompt` asks to continue an answer that was cut off.
    """

    stuff: str
    map: str
    reduce: str
    refine: str
    continue_prompt: str


class Fields(NamedTuple):
    """What a user's template may hold beside the text: columns of the documents' table, and a schema."""

    columns: tuple[str, ...] = ()
    has_schema: bool = False


NO_FIELDS = Fields()
NO_WORDS: Mapping[str, str] = MappingProxyType({})
NO_PROMPTS = Prompts("", "", "", "", "")


def load_prompts(
    flow: str, subtype: str, custom: Path | None, fields: Fields = NO_FIELDS, words: Mapping[str, str] = NO_WORDS
) -> Prompts:
    """Return the shipped templates of a flow for a model's subtype, or those around the user's own.

    `words` stand in the shipped ones in place of fields. A flow that merges no answers has no templates for that.
    With a schema a template of the user's ends with what asks for it, unless {schema} stands in it.

    Raises UserMistake for a file that can't be read, without {text}, or with an
    unknown field.
    """
    continue_prompt = _shipped("continue.txt").strip()
    if custom is None:
        folder = _folder(flow, subtype)
        has = {stage: (FOLDER / folder / f"{stage}.txt").is_file() for stage in STAGES}
        stuff, map_, reduce, refine = (
            fill(_shipped(f"{folder}/{stage}.txt"), **words) if there else "" for stage, there in has.items()
        )
        return Prompts(stuff, map_, reduce, refine, continue_prompt)
    template = _checked(custom, fields)
    if fields.has_schema and f"{{{SCHEMA}}}" not in template:
        template = f"{template.rstrip()}\n\n{_shipped(f'{_folder(flow, subtype)}/schema.txt')}"
    folder = _folder("custom", subtype)
    instruction = OPEN_AT_END.sub("", template.replace("{text}", "(the document)")).strip()
    reduce, refine = (
        fill(_shipped(f"{folder}/{stage}.txt"), instruction=instruction) for stage in ("reduce", "refine")
    )
    return Prompts(template, template, reduce, refine, continue_prompt)


def fill(template: str, **fields: str) -> str:
    """Put each value in place of its {field}, in one pass: a value is never looked into."""
    return FIELD.sub(lambda match: fields.get(match[1], match[0]), template)


def guarded(template: str, *values: str) -> str:
    """Return the template with marks that none of the values closes: <document> becomes <document-2>, and so on."""
    closing = [value for value in values if "</" in value]
    for tag in set(CLOSING.findall(template)) if closing else ():
        name = re.escape(tag)
        used = {match[1] for value in closing for match in re.finditer(rf"(?i)</\s*{name}((?:-[0-9]+)?)\s*>", value)}
        if "" in used:
            number = 2
            while f"-{number}" in used:
                number += 1
            template = re.sub(rf"<(/?){name}(\s[^<>]*)?>", rf"<\g<1>{tag}-{number}\g<2>>", template)
    return template


@lru_cache(maxsize=64)
def stop_of(template: str) -> str | None:
    """Return what ends the answer of a base model: the end of the mark that its template leaves open."""
    found = OPEN_AT_END.search(template)
    return f"</{found[1]}>" if found else None


def columns_in(prompts: Prompts) -> Iterator[str]:
    """Yield the columns that stand in templates."""
    for name in dict.fromkeys(FIELD.findall(prompts.stuff)):
        if name.startswith(COLUMN):
            yield name.removeprefix(COLUMN)


def _folder(flow: str, subtype: str) -> str:
    folder = f"{flow}/{subtype.lower()}"
    return folder if (FOLDER / folder).is_dir() else f"{flow}/{OTHERWISE}"


def _shipped(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8").rstrip("\n")


def read_template(path: Path) -> str:
    """Return a user's template. Raises UserMistake where it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserMistake(f"--prompt {path}: can't be read: {error}") from error


def _checked(path: Path, fields: Fields) -> str:
    """Return a user's template, its columns called as ours are, so that none is taken for another field."""
    template = read_template(path)
    if template.count("{text}") != 1:
        raise UserMistake(f"--prompt {path}: {{text}} must stand in it once: it says where the document's text goes")
    ours = (TEXT, SCHEMA) if fields.has_schema else (TEXT,)
    for name in FIELD.findall(template):
        if name in {*ours, *fields.columns} or not NAME.fullmatch(name):
            continue
        known = ", ".join(f"{{{one}}}" for one in (*ours, *fields.columns))
        raise UserMistake(f"--prompt {path}: unknown field {{{name}}}: known are {known}")
    columns = {*fields.columns} - {*ours}
    return FIELD.sub(lambda match: f"{{{COLUMN}{match[1]}}}" if match[1] in columns else match[0], template)
