"""Parquet, streamed: memory doesn't grow with its row groups."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.documents.batch import BYTES_AT_ONCE, ROWS_AT_ONCE, Batch
from tasks.documents.lines import is_whole

READ_AT_ONCE = 4 * 1024 * 1024
BROKEN = "it holds bytes that aren't UTF-8"
PLAIN = {
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
    pa.time64("ns"): pa.time64("us"),
    pa.duration("ns"): pa.duration("us"),
}
LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


class Parquet:
    """A Parquet file; only the columns that are asked for are read."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the footer. Raises what pyarrow and the file raise."""
        # With a buffer, or a column of a row group would be fetched as a whole.
        self._file = pq.ParquetFile(file, buffer_size=READ_AT_ONCE, pre_buffer=False)
        self.schema: pa.Schema = self._file.schema_arrow
        self.columns: list[str] = self.schema.names

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows; a text that isn't UTF-8 is a trouble."""
        there = [column for column in wanted if column in self.columns]
        for batch in self._file.iter_batches(self._rows_at_once(wanted), columns=there):
            troubles: dict[int, str] = {}
            columns = {
                column: _values(array, troubles)
                for column, array in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield Batch(batch.num_rows, columns, troubles)

    def _rows_at_once(self, wanted: Sequence[str]) -> int:
        """As many rows as hold about BYTES_AT_ONCE, by the row group whose rows are the largest."""
        largest = 1
        for number in range(self._file.metadata.num_row_groups):
            group = self._file.metadata.row_group(number)
            parts = (group.column(place) for place in range(group.num_columns))
            size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] in wanted)
            largest = max(largest, size // max(group.num_rows, 1))
        return max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // largest))


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the type that values have here: however strings and lists are kept, and no finer than microseconds."""
    types = pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return plain(kind.value_type)
    if types.is_struct(kind):
        return pa.struct([field.with_type(plain(field.type)) for field in kind])
    if any(is_one(kind) for is_one in LISTS):
        return pa.list_(plain(kind.value_type))
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    return PLAIN.get(kind, kind)


def _values(array: pa.Array, troubles: dict[int, str]) -> Sequence[Any]:
    kind = plain(array.type)
    if kind != pa.string():
        values: list[Any] = (array if kind == array.type else array.cast(kind, safe=False)).to_pylist()
        return values
    try:
        # Three times as fast as to_pylist.
        texts: list[str | None] = array.to_numpy(zero_copy_only=False).tolist()
    except pa.ArrowException:
        found = array.cast(pa.large_string()).cast(pa.large_binary()).to_pylist()
        texts = [None if data is None else data.decode("utf-8", "surrogateescape") for data in found]
        troubles.update({number: BROKEN for number, text in enumerate(texts) if text and not is_whole(text)})
    return texts
