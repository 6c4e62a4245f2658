"""Settle a chosen route: its window, tokenizer and price."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks.base.errors import UserMistake
from tasks.chunking.chat_template import Window
from tasks.chunking.tokenizer import GGUF, tokenizer_for_unknown
from tasks.models.candidates import LOCAL, Candidate
from tasks.models.catalogue import Model
from tasks.models.price import Price


@dataclass(frozen=True, slots=True)
class Route:
    """Everything a job must know of one model at one provider."""

    provider: str
    model: str
    id: str
    upstream: str | None
    window: Window
    tokenizer: str
    template: str
    price: Price | None
    subtype: str = "Chat"

    @property
    def provider_name(self) -> str:
        """The provider, with the one behind it, if any: PROVIDER@UPSTREAM."""
        return f"{self.provider}@{self.upstream}" if self.upstream else self.provider

    @property
    def label(self) -> str:
        """How the route is called."""
        return f"{self.provider_name}/{self.model}"

    @property
    def is_base_model(self) -> bool:
        """Whether the model only continues a text instead of answering: its prompt isn't a conversation."""
        return self.subtype == "Language"


def resolve(
    candidate: Candidate,
    *,
    told: Callable[[], int | None],
    context: int | None,
    max_answer: int,
    price: Price | None,
    gguf: str | None = None,
) -> Route:
    """Settle the window, tokenizer and price of a candidate.

    The window is the catalogue's for (provider, model); else what the server
    tells (`told` asks it); else the smallest of the catalogue's routes for that
    model; else `context`. `context` never widens what is known, but may narrow it.

    Raises UserMistake naming --context where nobody tells the window, and
    --max-output-tokens where the answer leaves no room for a prompt.
    """
    model, served = candidate.model, candidate.served
    known = (served.context if served else None) or told() or _smallest(model)
    known = known or (model.tokens_per_input if model else None)
    limits = [limit for limit in (known, context) if limit]
    if not limits:
        raise UserMistake(
            f"nobody tells the context window of {candidate.name} at {candidate.provider.name}: "
            "give it with --context N (tokens, prompt and answer together)"
        )
    answer = min(max_answer, _largest_answer(candidate) or max_answer)
    window = Window(min(limits), answer)
    if window.room(0) <= answer:
        raise UserMistake(
            f"--max-output-tokens {answer} leaves no room in the {window.context} tokens "
            f"of {candidate.name} at {candidate.provider.name}: give a smaller one"
        )
    return Route(
        candidate.provider.name,
        candidate.name,
        candidate.id,
        candidate.upstream,
        window,
        _tokenizer(candidate, gguf),
        model.template if model else "unknown",
        price or price_of(candidate),
        model.subtype if model else "Chat",
    )


def _largest_answer(candidate: Candidate) -> int | None:
    """Return the most tokens of an answer; behind automatic routing, the least of all routes'."""
    if candidate.served is not None:
        return candidate.served.max_answer
    rows = candidate.model.routes if candidate.model else ()
    return min((row.max_answer for row in rows if row.max_answer), default=None)


def _smallest(model: Model | None) -> int | None:
    """Return the smallest window of a model's routes: an aggregator may use any of them."""
    return min((row.context for row in model.routes if row.context), default=None) if model else None


def _tokenizer(candidate: Candidate, gguf: str | None) -> str:
    if candidate.provider.name == LOCAL and gguf:
        return GGUF + gguf
    if candidate.model is not None and candidate.model.tokenizer != "gguf":
        return candidate.model.tokenizer
    return tokenizer_for_unknown(candidate.name)


def price_of(candidate: Candidate) -> Price | None:
    """Return the row's own price; behind an aggregator's automatic routing, the dearest of its routes."""
    if candidate.served is not None:
        return candidate.served.price
    if not candidate.provider.aggregator or candidate.model is None:
        return None
    return dearest(row.price for row in candidate.model.routes)


def dearest(prices: Iterable[Price | None]) -> Price | None:
    """Return the highest input and output price, or None if any price is unknown."""
    known = []
    for price in prices:
        if price is None:
            return None
        known.append(price)
    if not known:
        return None
    return Price(
        max(price.input for price in known),
        max(price.output for price in known),
        min((price.checked for price in known if price.checked), default=None),
        "the dearest of its routes in the catalogue",
    )
