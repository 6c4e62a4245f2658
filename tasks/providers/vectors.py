"""Embeddings on the wire: what is asked for, and the vectors of an answer, as numbers or in base64."""

import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pybase64 import b64decode_as_bytearray

from tasks.errors import Transient

Matrix = NDArray[np.float32]


class Embedding(NamedTuple):
    """Texts to embed with a model (the provider's own id); `dimensions` where the model allows a choice.

    `base64`: the vectors are to come so, which is a third of the bytes and of the time to read them.
    """

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    base64: bool = False
    upstream: str | None = None


class Vectors(NamedTuple):
    """One vector a text, in the order of the texts; counts and cost (USD) are the provider's own, or None."""

    vectors: Matrix
    prompt_tokens: int | None
    cost: float | None

    @property
    def completion_tokens(self) -> int:
        """None are written."""
        return 0


def matrix(records: Sequence[Mapping[str, Any]], count: int | None) -> Matrix:
    """Return the vectors of OpenAI-shaped records in the order of their indices, however many without a `count`.

    Raises Transient with reason `bad_vectors` where they aren't one a text, all of one
    length, and finite.
    """
    places = [_index(record, place) for place, record in enumerate(records)]
    ordered = sorted(range(len(places)), key=places.__getitem__)
    try:
        found = _matrix([records[place].get("embedding") for place in ordered])
    except (ValueError, TypeError, binascii.Error) as error:
        raise Transient("bad_vectors", f"an answer whose vectors can't be read: {error}", status=200) from error
    if (count is not None and len(found) != count) or not np.isfinite(found).all():
        raise Transient(
            "bad_vectors", f"{len(found)} vectors for {count or 'some'} texts, or not all of numbers", status=200
        )
    return found


def _index(record: Mapping[str, Any], place: int) -> int:
    index = record.get("index")
    return index if isinstance(index, int) else place


def _matrix(values: Sequence[object]) -> Matrix:
    """Read vectors: each numbers, or base64 of little-endian 32-bit floats."""
    if values and all(isinstance(value, str) for value in values):
        rows = [b64decode_as_bytearray(str(value), validate=True) for value in values]
        if len({*map(len, rows)}) == 1:  # the same length for all: read together
            return np.frombuffer(b"".join(rows), dtype="<f4").reshape(len(rows), -1)
    return np.stack([_vector(value) for value in values]) if values else np.zeros((0, 0), dtype=np.float32)


def _vector(value: object) -> Matrix:
    if isinstance(value, str):
        return np.frombuffer(b64decode_as_bytearray(value, validate=True), dtype="<f4")
    vector = np.asarray(value, dtype=np.float32)
    if vector.ndim != 1 or not vector.size:
        raise ValueError("a vector without numbers")
    return vector
