"""The local embedding model, behind the interface of the client: static vectors, made in this process.

wordllama's weights and vocabulary come inside its package (16 MB, 256 dimensions; its
vectors may be cut to their first 64 or 128). Nothing is downloaded.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tasks.base.errors import UserMistake
from tasks.providers.account import Account
from tasks.providers.protocol import Reply

MODEL = "wordllama"
ACCOUNT = Account("local", "in-process://wordllama", identity="wordllama l2_supercat")


def require_wordllama() -> None:
    """Raise UserMistake where the package isn't installed."""
    if find_spec("wordllama") is None:
        raise UserMistake(
            "the local embedding model needs wordllama: pip install 'docmill[local]', or name a --provider"
        )


class LocalVectors:
    """Answers requests for embeddings as an OpenAI-compatible server would."""

    def __init__(self) -> None:
        require_wordllama()
        from wordllama import WordLlama  # noqa: PLC0415 - only the `local` extra brings it, and it takes a moment

        package = find_spec("wordllama")
        folder = package.submodule_search_locations[0] if package and package.submodule_search_locations else ""
        self._model = WordLlama.load(cache_dir=folder, disable_download=True)
        self._model.tokenizer.encode_special_tokens = True  # `<s>` in a text is text

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:  # noqa: ARG002 - as a client's
        """Answer a request; it takes its time on another thread."""
        return await asyncio.to_thread(self._answer, orjson.loads(body))

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> Reply:  # noqa: ARG002
        """Say that it is there."""
        return Reply(200, {}, b"{}")

    def _answer(self, request: Mapping[str, Any]) -> Reply:
        vectors = self.vectors(request["input"], request.get("dimensions"))
        data = [
            {"object": "embedding", "index": index, "embedding": base64.b64encode(vector.tobytes()).decode()}
            for index, vector in enumerate(vectors)
        ]
        return Reply(200, {}, orjson.dumps({"object": "list", "data": data, "model": MODEL}))

    def vectors(self, texts: Sequence[str], dimensions: int | None = None) -> NDArray[np.float32]:
        """Return unit vectors; that of a text without any token is zero."""
        pooled = self._model.embed(list(texts), norm=False)[:, :dimensions]
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(pooled, lengths, out=np.zeros_like(pooled), where=lengths > 0)
        return unit.astype("<f4")
