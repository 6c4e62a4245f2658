"""Alternatives for programs of several ages (ECMA-376, part 3): one of them is shown."""

from collections.abc import Sequence
from typing import Any

from tasks.documents.readers.docx.names import MC

KNOWN = ("http://schemas.microsoft.com/office/", "http://schemas.openxmlformats.org/", "urn:schemas-microsoft-com:vml")


def chosen(alternatives: Any) -> Sequence[Any]:
    """Return what is in the first choice whose extensions are known, or in the fallback."""
    for choice in alternatives.iterfind(f"{MC}Choice"):
        needed = (choice.nsmap.get(prefix, "") for prefix in choice.get("Requires", "").split())
        if all(uri.startswith(KNOWN) for uri in needed) and len(choice):
            return list(choice)
    fallback = alternatives.find(f"{MC}Fallback")
    return [] if fallback is None else list(fallback)
