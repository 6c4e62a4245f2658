"""Embeddings on the wire: what is asked for, and the vectors of an answer, as numbers or in base64."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.errors import Transient

Matrix = NDArray[np.float32]


class Embedding(NamedTuple):
    """Texts to embed with a model (the provider's own id); `dimensions` where the model allows a choice."""

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None


class Vectors(NamedTuple):
    """One vector a text, in the order of the texts; counts and cost (USD) are the provider's own, or None."""

    vectors: Matrix
    prompt_tokens: int | None
    cost: float | None


def matrix(records: Sequence[Mapping[str, Any]], count: int) -> Matrix:
    """Return the vectors of OpenAI-shaped records in the order of their indices.

    Raises Transient with reason `bad_vectors` where they aren't one a text, all of one
    length, and finite.
    """
    ordered = sorted(enumerate(records), key=lambda pair: _index(pair[1], pair[0]))
    try:
        rows = [_vector(record.get("embedding")) for _, record in ordered]
        found = np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)
    except (ValueError, TypeError, binascii.Error) as error:
        raise Transient("bad_vectors", f"an answer whose vectors can't be read: {error}", status=200) from error
    if len(found) != count or not np.isfinite(found).all():
        raise Transient("bad_vectors", f"{len(found)} vectors for {count} texts, or not all of numbers", status=200)
    return found


def _index(record: Mapping[str, Any], place: int) -> int:
    index = record.get("index")
    return index if isinstance(index, int) else place


def _vector(value: object) -> Matrix:
    """Read a vector: numbers, or base64 of little-endian 32-bit floats."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
    vector = np.asarray(value, dtype=np.float32)
    if vector.ndim != 1 or not vector.size:
        raise ValueError("a vector without numbers")
    return vector
