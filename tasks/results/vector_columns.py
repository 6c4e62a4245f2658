"""The table of chunks, with vectors as fixed-size lists that need no copy to be read as a matrix."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.results.schemas import chunks_schema


class ChunkRow(NamedTuple):
    """One chunk: its span in characters, its tokens, and its vector, a row of a matrix of 32-bit floats."""

    document_id: str
    position: int
    start_char: int
    end_char: int
    text: str
    tokens: int
    vectors: NDArray[np.float32]
    place: int
    model: str
    provider: str
    call_id: str


def chunks_table(rows: Sequence[ChunkRow]) -> pa.Table:
    """Return the table of chunks (at least one), whose vectors are all of one length."""
    columns = dict(zip(ChunkRow._fields, zip(*rows, strict=True), strict=True))
    vectors = _gathered(columns["vectors"], columns["place"])
    schema = chunks_schema(vectors.shape[1])
    arrays = [
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        if field.name == "embedding"
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _gathered(matrices: Sequence[NDArray[np.float32]], places: Sequence[int]) -> NDArray[np.float32]:
    """Return a row of each matrix; many at once where neighbours are of one matrix, as those of a request are."""
    found, first = [], 0
    for _, group in groupby(matrices, key=id):
        count = len(list(group))
        found.append(matrices[first][list(places[first : first + count])])
        first += count
    return np.concatenate(found)
