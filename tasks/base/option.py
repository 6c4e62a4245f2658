"""What a command has to know about an option besides its type, default and description."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


# How an option decides about an answer: through what is settled for the job (its routes, their windows, its strategy),
# through the prompt, through the form of an answer; or by its value, which stands in the answers' identity then.
Decides = Literal["job", "prompt", "form", "value"]


@dataclass(frozen=True, slots=True)
class Flag:
    """An option's flag: its heading in `--help`, the name of its value there, and its own name if not the field's.

    `decides`: with another value a document is asked about again, and how it comes to that. `is_text`: the command
    line passes the value on as text, which the option's own type parses. `may_be_dash`: `-` is a valid value.
    """

    group: str
    metavar: str | None = None
    name: str | None = None
    decides: Decides | None = None
    is_text: bool = False
    may_be_dash: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a model, as it appears on a command line."""

    field: str
    flag: Flag
    info: FieldInfo

    @property
    def name(self) -> str:
        """The flag as it is typed."""
        return "--" + (self.flag.name or self.field.replace("_", "-"))

    @property
    def default(self) -> str:
        """The default as text; empty for None, False and tuples."""
        value = self.info.default
        if value is None or value is False or isinstance(value, tuple):
            return ""
        return time_in_words(value) if self.flag.metavar == "TIME" else str(value)


def options_of(model: type[BaseModel]) -> Iterator[Option]:
    """Yield the options of a model that have a flag, in their order."""
    for field, info in model.model_fields.items():
        flag = next((one for one in info.metadata if isinstance(one, Flag)), None)
        if flag is not None:
            yield Option(field, flag, info)


def seconds_in(value: object) -> object:
    """Return a time such as 90s, 30m or 2h in seconds; a non-string unchanged. Raises ValueError for other strings."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smh]?)", value.strip())
    if match is None:
        raise ValueError("this is no time: give it as in 90s, 30m or 2h")
    return float(match[1]) * UNITS[match[2]]


def time_in_words(seconds: float) -> str:
    """Return a time in the notation that `seconds_in` reads: 1800 becomes 30m, 0 an empty string."""
    for unit in ("h", "m"):
        if seconds and seconds % UNITS[unit] == 0:
            return f"{seconds / UNITS[unit]:g}{unit}"
    return f"{seconds:g}s" if seconds else ""


Seconds = Annotated[float, BeforeValidator(seconds_in)]
