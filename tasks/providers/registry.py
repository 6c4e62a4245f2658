"""Which module speaks with which provider: `wire` in `data/providers.toml` names one of `tasks/providers/wires/`."""

from functools import cache
from importlib import import_module
from pathlib import Path

from tasks.providers.protocol import Wire

FOLDER = Path(__file__).parent / "wires"


def wire_names() -> list[str]:
    """Return the names of all wires."""
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


@cache
def wire_of(name: str) -> Wire:
    """Return the wire of that name: the `WIRE` of its module, which keeps nothing between calls."""
    wire: Wire = import_module(f"tasks.providers.wires.{name}").WIRE
    return wire
