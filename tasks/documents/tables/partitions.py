"""Hive partitions: the columns that the folders above a table tell, as in `year=2025/month=03`."""

from urllib.parse import unquote

NOTHING = "__HIVE_DEFAULT_PARTITION__"


def partitions(document_id: str) -> dict[str, str | None]:
    """Return the columns of a table's folders, as they are written; NOTHING is None."""
    pairs = (part.partition("=") for part in document_id.split("/")[:-1])
    found = {unquote(key): unquote(value) for key, equals, value in pairs if key and equals}
    return {key: None if value == NOTHING else value for key, value in found.items()}


def is_whole_number(value: str | None) -> bool:
    """Whether a partition fits a column of 64-bit integers."""
    return value is None or (value.isascii() and value.lstrip("-").isdigit() and len(value) < len(str(2**63)))
