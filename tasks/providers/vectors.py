"""Embeddings on the wire: what is asked for, and the vectors of an answer, as numbers or in base64."""

import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pybase64 import b64decode_as_bytearray

from tasks.base.errors import CallRejected, Transient

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
    """One vector per text, in the order of the texts; counts and cost (USD) are the provider's own, or None.

    `bad` are the numbers of the texts whose vectors aren't all finite numbers: these are replaced by zeros.
    """

    vectors: Matrix
    prompt_tokens: int | None
    cost: float | None
    bad: frozenset[int] = frozenset()

    @property
    def completion_tokens(self) -> int:
        """Zero: embeddings write no tokens."""
        return 0


def read_vectors(
    records: Sequence[Mapping[str, Any]], count: int | None, prompt_tokens: int | None, cost: float | None
) -> Vectors:
    """Return the vectors of OpenAI-shaped records in the order of their indices; without a `count`, any number of them.

    Raises CallFailed with reason `bad_vectors` and what was paid: CallRejected if the only vector isn't
    usable, Transient if there isn't one vector per text, all of one length.
    """
    paid = Vectors(np.zeros((0, 0), dtype=np.float32), prompt_tokens, cost)
    found = _rows([record.get("embedding") for record in _ordered(records, paid)])
    good = [row for row in found if row is not None]
    if count == 1 and len(found) == 1 and not good:
        raise CallRejected("bad_vectors", "the model's vector of this text isn't all of numbers", status=200, paid=paid)
    if (count is not None and len(found) != count) or (found and not good) or len({row.size for row in good}) > 1:
        words = f"{len(found)} vectors for {count or 'some'} texts, not all of one length and of numbers"
        raise Transient("bad_vectors", words, status=200, paid=paid)
    bad = frozenset(number for number, row in enumerate(found) if row is None)
    rows = [np.zeros_like(good[0]) if row is None else row for row in found] if bad else good
    return paid._replace(vectors=np.stack(rows) if rows else paid.vectors, bad=bad)


def _ordered(records: Sequence[Mapping[str, Any]], paid: Vectors) -> list[Mapping[str, Any]]:
    """Return records by their indices; as they stand where none is told, or all are the same. Raises Transient."""
    indices = [record.get("index", number) for number, record in enumerate(records)]
    if len({*map(str, indices)}) <= 1 or indices == list(range(len(records))):
        return list(records)
    if sorted(map(str, indices)) != sorted(map(str, range(len(records)))):
        raise Transient("bad_vectors", "vectors whose indices aren't those of the texts", status=200, paid=paid)
    return sorted(records, key=lambda record: int(record["index"]))


def _rows(values: Sequence[object]) -> list[Matrix | None]:
    """Read vectors: each numbers, or base64 of little-endian 32-bit floats; None where one isn't all finite numbers."""
    found = [_vector(value) for value in values]
    if not found or any(row is None for row in found):
        return found
    lengths = {row.size for row in found if row is not None}
    if len(lengths) == 1 and np.isfinite(np.stack([row for row in found if row is not None])).all():
        return found
    return [row if row is not None and np.isfinite(row).all() else None for row in found]


def _vector(value: object) -> Matrix | None:
    try:
        if isinstance(value, str):
            return np.frombuffer(b64decode_as_bytearray(value, validate=True), dtype="<f4")
        vector = np.asarray(value, dtype=np.float32)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        return None
    return vector if vector.ndim == 1 and vector.size else None
