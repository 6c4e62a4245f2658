"""Settings from outside the command line: environment variables, which override `.env`, and keys in a key store."""

import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from dotenv import dotenv_values

from tasks.base.errors import UserMistake

if TYPE_CHECKING:  # importing it takes a tenth of a second
    import httpx

# Returns a provider's key from a store of keys, if it is there.
Keys = Callable[[str], str | None]
TRANSPORT = "DOCMILL_TRANSPORT"
FACTORY = "name a function that returns one of httpx's async transports, as package.module:function"
# Makes the transport of the requests, on the event loop that sends them; None for the usual one.
Transports = Callable[[], "httpx.AsyncBaseTransport | None"]


def no_keys(_: str) -> str | None:
    """Return None: there is no key store."""


def usual_transport() -> None:
    """Return None: requests go out by the usual transport."""


def transport_named(name: str) -> Transports:
    """Return the function that `package.module:function` names. Raises UserMistake where there is none."""
    if not name:
        return usual_transport
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserMistake(f"{TRANSPORT} can't be used: {error}: {FACTORY}") from error
    if not callable(found):
        raise UserMistake(f"{TRANSPORT} can't be used: {name} is no function: {FACTORY}")
    return cast(Transports, found)


class Settings(Mapping[str, str]):
    """The variables by name, read once for a job; `stored_key` looks up a provider's key in a key store.

    `transport` makes what carries the requests: httpx's MockTransport or ASGITransport, a company's own.

    The repr shows no values, as some are secret.
    """

    def __init__(
        self, variables: Mapping[str, str], keys: Keys = no_keys, transport: Transports = usual_transport
    ) -> None:
        self._variables, self.stored_key, self.transport = variables, keys, transport

    @classmethod
    def read(cls, keys: Keys = no_keys, folder: Path | None = None) -> Self:
        """Read the environment, and the values that only `.env` in `folder` (the current one) has.

        Raises UserMistake for a file that can't be read, or a transport that isn't there.
        """
        path = (folder or Path.cwd()) / ".env"
        try:
            values = dotenv_values(path) if path.is_file() else {}
        except UnicodeDecodeError as error:
            raise UserMistake(f"{path}: can't be read: it isn't UTF-8: save it as UTF-8") from error
        variables = {name: value for name, value in values.items() if value} | dict(os.environ)
        return cls(variables, keys, transport_named(variables.get(TRANSPORT, "").strip()))

    def word(self, name: str | None) -> str:
        """Return a variable without the blanks around it; "" where it isn't set."""
        return self._variables.get(name or "", "").strip()

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"Settings({len(self)} variables)"
