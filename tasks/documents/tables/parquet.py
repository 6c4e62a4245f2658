"""Parquet, streamed: memory doesn't grow with its row groups."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.documents.tables.batch import BYTES_AT_ONCE, ROWS_AT_ONCE, Batch
from tasks.documents.tables.lines import is_whole

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
        # Without a buffer size, a whole column of a row group would be fetched at once.
        self._file = pq.ParquetFile(file, buffer_size=READ_AT_ONCE, pre_buffer=False)
        self.schema: pa.Schema = self._file.schema_arrow
        self.columns: list[str] = self.schema.names

    @functools.cached_property
    def kinds(self) -> Mapping[str, pa.DataType]:
        """The types of the columns' values; times that Python can't represent are text, as Arrow writes them.

        To find these, the columns of dates and times are read, since a footer needn't hold their extremes.
        """
        found = {field.name: plain(field.type) for field in self.schema}
        timely = [name for name, kind in found.items() if _is_temporal(kind)]
        # Damage is reported when the rows are read.
        with contextlib.suppress(pa.ArrowException, OSError):
            for batch in self._file.iter_batches(columns=timely) if timely else ():
                for name, array in zip(batch.schema.names, batch.columns, strict=True):
                    if _is_temporal(found[name]) and not _is_of_python(array, found[name]):
                        found[name] = _textual(found[name])
        return found

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows; a text that isn't UTF-8 is a trouble."""
        there = [column for column in wanted if column in self.columns]
        for batch in self._file.iter_batches(self._rows_at_once(wanted), columns=there):
            troubles: dict[int, str] = {}
            columns = {
                column: _values(array, self._kind(column, array.type), troubles)
                for column, array in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield Batch(batch.num_rows, columns, troubles)

    def _kind(self, column: str, kind: pa.DataType) -> pa.DataType:
        return self.kinds[column] if _is_temporal(plain(kind)) else plain(kind)

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
    """Return the type in which values are read: one for all encodings of strings and lists, times in microseconds."""
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


def _is_temporal(kind: pa.DataType) -> bool:
    """Whether values of a type are, or hold, times that Python may lack."""
    inner = [kind.field(place).type for place in range(kind.num_fields)]
    return any(map(_is_temporal, inner)) if inner else pa.types.is_temporal(kind)


def _textual(kind: pa.DataType) -> pa.DataType:
    """Return a type with text for each time in it."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_textual(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_textual(kind.value_type))
    return pa.string() if _is_temporal(kind) else kind


def _is_of_python(array: pa.Array, kind: pa.DataType) -> bool:
    try:
        found = _cast(array, kind)
        if not kind.num_fields:
            # If Python can represent the first and the last time of a flat column, it can represent all between.
            counts = pa.int32() if kind.bit_width == 32 else pa.int64()
            found = pa.array(list(pc.min_max(found.view(counts)).as_py().values()), counts).view(kind)
        pa.array(found.to_pylist(), kind)
    except (pa.ArrowException, ValueError, OverflowError, LookupError):
        return False
    return True


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array if kind == array.type else array.cast(kind, safe=False)


def _as_text(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast times to text; those of a zone that Arrow doesn't know are written in UTC."""
    try:
        return array.cast(kind)
    except pa.ArrowException:
        if not pa.types.is_timestamp(array.type):
            raise
        return pc.binary_join_element_wise(array.cast(pa.timestamp(array.type.unit)).cast(pa.string()), "Z", "")


def _values(array: pa.Array, kind: pa.DataType, troubles: dict[int, str]) -> Sequence[Any]:
    if pa.types.is_temporal(array.type) and pa.types.is_string(kind):
        array = _as_text(array, kind)
    if kind != pa.string():
        values: list[Any] = _cast(array, kind).to_pylist()
        return values
    try:
        # Three times as fast as to_pylist.
        texts: list[str | None] = array.to_numpy(zero_copy_only=False).tolist()
    except pa.ArrowException:
        found = array.cast(pa.large_string()).cast(pa.large_binary()).to_pylist()
        texts = [None if data is None else data.decode("utf-8", "surrogateescape") for data in found]
        troubles.update({number: BROKEN for number, text in enumerate(texts) if text and not is_whole(text)})
    return texts
