"""What the readers of tables give: some rows at a time, column by column."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ROWS_AT_ONCE = 2048
BYTES_AT_ONCE = 8 * 1024 * 1024


class Batch(NamedTuple):
    """Some rows: the values of each column that was asked for, all of one length.

    `troubles` says of a row, by its number in the batch, why it can't be read.
    """

    rows: int
    columns: Mapping[str, Sequence[Any]]
    troubles: Mapping[int, str]
