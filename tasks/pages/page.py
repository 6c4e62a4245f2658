"""A page in one file: nothing is fetched to show it, and nothing in it runs but its own script."""

import base64
import functools
import hashlib
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.pages.figures import FIGURES
from tasks.routing.catalogue import DATA

FOLDER = DATA / "pages"


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


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A style or script is let in by what it says, word for word."""
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
