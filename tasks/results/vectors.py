"""The table of chunks, with vectors as fixed-size lists that need no copy to be read as a matrix."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.results.schemas import chunks_schema


class ChunkRow(NamedTuple):
    """One chunk: its span in characters, its tokens, and its vector of 32-bit floats."""

    document_id: str
    position: int
    start_char: int
    end_char: int
    text: str
    tokens: int
    embedding: NDArray[np.float32]
    model: str
    provider: str
    call_id: str


def chunks_table(rows: Sequence[ChunkRow]) -> pa.Table:
    """Return the table of chunks (at least one), whose vectors are all of one length."""
    schema = chunks_schema(len(rows[0].embedding))
    columns = dict(zip(ChunkRow._fields, zip(*rows, strict=True), strict=True))
    vectors = np.stack(columns["embedding"])
    arrays = [
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        if field.name == "embedding"
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
