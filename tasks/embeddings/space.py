"""The common properties of a result set's vectors: model, dimensions, and the identity of each."""

from dataclasses import dataclass
from hashlib import blake2b

from tasks.base.errors import RouteUnavailable
from tasks.calls.packing import TextToEmbed


@dataclass(slots=True)
class Space:
    """What all vectors of a result set share.

    `identity` is all that decides about a vector beside its text; `dimensions` are the
    catalogue's or those that were asked for, else those of the first answer.
    """

    identity: str
    dimensions: int | None

    def text_id(self, text: str) -> str:
        """Return the identity of a text's vector, 128 bits in hexadecimal."""
        return blake2b(text.encode(), digest_size=16, key=bytes.fromhex(self.identity)).hexdigest()

    def piece(self, text: str, tokens: int, document_id: str) -> TextToEmbed:
        """Return a text of a document as a piece."""
        return TextToEmbed(self.text_id(text), text, tokens, document_id)

    def wrong(self, dimensions: int, label: str) -> RouteUnavailable | None:
        """Return the error for vectors of other dimensions than the rest, if any; the first ones set them."""
        if self.dimensions is None:
            self.dimensions = dimensions
        if dimensions == self.dimensions:
            return None
        return RouteUnavailable(
            f"{label} answered vectors of {dimensions} dimensions, not {self.dimensions}: is it the right model? "
            f"--dimensions {dimensions} takes it as it is"
        )
