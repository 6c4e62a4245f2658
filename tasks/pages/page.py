"""A page in one file: nothing is fetched to show it, and nothing in it runs but its own script."""

import base64
import functools
import hashlib
from collections.abc import Mapping
from typing import Any, BinaryIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.models.catalogue import DATA
from tasks.pages.figures import FIGURES
from tasks.results.location import Folder

FOLDER = DATA / "pages"
NAME = "dashboard.html"


def page(template: str, *, live: bool = False, **facts: Any) -> str:
    """Return a page in HTML, whatever stands in its facts; a `live` one may ask its own server for news."""
    style, script = _text("page.css"), _text("page.js")
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "data:",
        "connect-src": "'self'" if live else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    csp = "; ".join(f"{name} {value}" for name, value in policy.items())
    return _templates().get_template(template).render(csp=csp, style=style, script=script, live=live, **facts)


def write_page(folder: Folder, html: str) -> None:
    """Write a page into a folder, whole or not at all. Raises StorageFailed."""
    data = html.encode()
    folder.replace(NAME, lambda file: _write(file, data))


def place_of(folder: Folder) -> str:
    """Return the URL of a folder's page."""
    return (folder.path.absolute() / NAME).as_uri() if folder.path else f"{folder.location}/{NAME}"


def options_of(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the options that were given, by name, as text."""
    given = {name: value for name, value in spec.items() if value not in (None, False, [], ())}
    return [
        (name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for name, value in given.items()
    ]


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the source in a content security policy that allows exactly this style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FIGURES)
    return made
