"""Settings from outside the command line: environment variables, which override `.env`, and keys in a key store."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

from dotenv import dotenv_values

from tasks.base.errors import UserMistake

# Returns a provider's key from a store of keys, if it is there.
Keys = Callable[[str], str | None]


def no_keys(_: str) -> str | None:
    """Return None: there is no key store."""


class Settings(Mapping[str, str]):
    """The variables by name, read once for a job; `stored_key` looks up a provider's key in a key store.

    The repr shows no values, as some are secret.
    """

    def __init__(self, variables: Mapping[str, str], keys: Keys = no_keys) -> None:
        self._variables, self.stored_key = variables, keys

    @classmethod
    def read(cls, keys: Keys = no_keys, folder: Path | None = None) -> Self:
        """Read the environment, and the values that only `.env` in `folder` (the current one) has.

        Raises UserMistake for a file that can't be read.
        """
        path = (folder or Path.cwd()) / ".env"
        try:
            values = dotenv_values(path) if path.is_file() else {}
        except UnicodeDecodeError as error:
            raise UserMistake(f"{path}: can't be read: it isn't UTF-8: save it as UTF-8") from error
        return cls({name: value for name, value in values.items() if value} | dict(os.environ), keys)

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
