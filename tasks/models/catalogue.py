"""The catalogue: which models are served where, with what limits and prices.

Read from `data/models.toml` and `data/providers.toml`; an unknown key or an impossible
value is an error that names the file and the entry.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tasks.base.errors import UserMistake
from tasks.chunking.chat_template import TEMPLATES
from tasks.chunking.tokenizer import NAMES
from tasks.models.price import Price

DATA = Path(__file__).parents[2] / "data"
# Their names alone are of interest here.
WIRES = Path(__file__).parents[1] / "providers" / "wires"
T = TypeVar("T", bound="ModelEntry")
Subtype = Literal["Chat", "Language", "Code", "Embedding"]


class ModelEntry(BaseModel):
    """A table of the catalogue: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Served(ModelEntry):
    """One model at one provider; a limit or price that is left out is unknown.

    A `pinned` row was set by hand: a provider's list never changes it. A row that isn't `listed` is
    not expected in that list.
    `available`, `is_gone` (the list lacks it) and `latency` (seconds by prompt size, then
    overall) come from such lists.
    """

    provider: str
    id: str | None = None
    context: int | None = Field(default=None, gt=0)
    max_answer: int | None = Field(default=None, gt=0)
    input_price: float | None = Field(default=None, ge=0)
    output_price: float | None = Field(default=None, ge=0)
    price_checked: date | None = None
    price_source: str | None = None
    pinned: bool = False
    listed: bool = True
    available: bool | None = None
    is_gone: bool = False
    latency: tuple[float | None, ...] = ()

    @model_validator(mode="after")
    def _possible(self) -> "Served":
        if self.context and self.max_answer and self.max_answer > self.context:
            raise ValueError(f"max_answer {self.max_answer} is more than the context {self.context}")
        if self.input_price is not None and (self.price_checked is None or not self.price_source):
            raise ValueError("a price needs price_checked and price_source")
        if self.output_price is not None and self.input_price is None:
            raise ValueError("an output_price needs an input_price")
        return self

    @property
    def price(self) -> Price | None:
        """The price, or None where it isn't known."""
        if self.input_price is None:
            return None
        return Price(self.input_price, self.output_price or 0.0, self.price_checked, self.price_source or "")


class Model(ModelEntry):
    """One model, wherever it is served."""

    name: str
    series: str
    subtype: Subtype
    tokenizer: str
    template: str
    aliases: tuple[str, ...] = ()
    # Of an embedding model, wherever it is served.
    dimensions: int | None = Field(default=None, gt=0)
    smaller_dimensions: tuple[int, ...] = ()
    tokens_per_input: int | None = Field(default=None, gt=0)
    tokens_per_request: int | None = Field(default=None, gt=0)
    routes: tuple[Served, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> "Model":
        if self.tokenizer not in NAMES and self.tokenizer != "gguf":
            raise ValueError(f"no tokenizer is called {self.tokenizer!r}: one of {', '.join(NAMES)}")
        if self.template not in TEMPLATES:
            raise ValueError(f"no template is called {self.template!r}: one of {', '.join(TEMPLATES)}")
        providers = [route.provider for route in self.routes]
        if len(set(providers)) != len(providers):
            raise ValueError("two routes name one provider")
        if self.subtype != "Embedding":
            for route in self.routes:
                if (route.input_price is None) != (route.output_price is None):
                    raise ValueError(f"{route.provider}: one of input_price and output_price is missing")
        return self


class Provider(ModelEntry):
    """How a provider is reached, and the limits it declares."""

    name: str
    title: str
    # The module under tasks/providers/wires that speaks its language.
    wire: str = "openai"
    # Other providers are behind it, which a route may name; one that votes may ask a model several times.
    aggregator: bool = False
    votes: bool = False
    key_variable: str | None = None
    base_url: str | None = None
    base_url_variable: str | None = None
    requests_per_minute: int | None = Field(default=None, gt=0)
    tokens_per_minute: int | None = Field(default=None, gt=0)
    requests_per_second: int | None = Field(default=None, gt=0)
    input_tokens_per_minute: int | None = Field(default=None, gt=0)
    output_tokens_per_minute: int | None = Field(default=None, gt=0)
    inputs_per_request: int = Field(default=256, gt=0)
    base64: bool = False
    told_period: float = Field(default=60.0, gt=0)
    concurrency: int = Field(default=32, gt=0)
    typical_seconds: float = Field(default=5.0, gt=0)
    signed: bool = False
    structured: Literal["json_schema", "json_object"] | None = None
    # The value of `logprobs` in a request that makes the provider return the probabilities of tokens.
    logprobs: bool | int | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    extras: dict[str, Any] = Field(default_factory=dict)

    @field_validator("wire")
    @classmethod
    def _there(cls, wire: str) -> str:
        names = sorted(path.stem for path in WIRES.glob("[a-z]*.py"))
        if wire not in names:
            raise ValueError(f"wire: {wire!r} is none of {', '.join(names)}")
        return wire

    @model_validator(mode="after")
    def _json(self) -> "Provider":
        try:  # they are part of a request's body, and of its identity
            json.dumps(self.extras, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"extras: not JSON: {error}") from error
        return self


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models and providers; names are looked up without regard to case."""

    models: tuple[Model, ...]
    providers: tuple[Provider, ...]
    # What providers' lists of models state besides, by (provider, upstream, name in lower case).
    told: Mapping[tuple[str, str | None, str], Served] = field(default_factory=dict)

    def live(self, provider: str, name: str) -> Served | None:
        """Return a provider's own listing of a model, or None."""
        return self.told.get((provider, None, name.lower()))

    def lists_behind(self, provider: str) -> bool:
        """Whether a list was read from this aggregator that names the providers behind its models."""
        return any(name == provider and upstream for name, upstream, _ in self.told)

    @property
    def aggregators(self) -> tuple[Provider, ...]:
        """The providers that have others behind them."""
        return tuple(provider for provider in self.providers if provider.aggregator)

    def behind(self, model: Model, aggregator: str, upstream: str) -> Served | None:
        """Return an aggregator's listing of a model at a provider behind it, or None."""
        names = (model.name, *model.aliases)
        found = (self.told.get((aggregator, upstream, name.lower())) for name in names)
        return next((served for served in found if served), None)

    def provider(self, name: str) -> Provider:
        """Return a provider by its name. Raises UserMistake, naming them all."""
        for provider in self.providers:
            if provider.name == name.lower():
                return provider
        names = ", ".join(provider.name for provider in self.providers)
        raise UserMistake(f"no provider is called {name!r}: one of auto, {names}")

    def find(self, name: str) -> Model | None:
        """Return the model of that name, alias, or provider's own id, or None."""
        wanted = name.lower()
        for model in self.models:
            ids = [route.id for route in model.routes if route.id]
            if wanted in (word.lower() for word in (model.name, *model.aliases, *ids)):
                return model
        return None

    def routes(self) -> Iterator[tuple[Model, Served]]:
        """Yield every (model, route)."""
        for model in self.models:
            for route in model.routes:
                yield model, route


@cache
def load_catalogue(folder: Path = DATA) -> Catalogue:
    """Read and check both files. Raises UserMistake with the file and the entry's name."""
    models = tuple(_entries(folder / "models.toml", "models", Model))
    providers = tuple(_entries(folder / "providers.toml", "providers", Provider))
    _once(folder / "models.toml", (word for model in models for word in (model.name, *model.aliases)))
    _once(folder / "providers.toml", (provider.name for provider in providers))
    known = {provider.name for provider in providers}
    for model in models:
        for route in model.routes:
            if route.provider not in known:
                message = f"model {model.name!r}: no provider {route.provider!r} in providers.toml"
                raise UserMistake(f"{folder / 'models.toml'}: {message}")
    return Catalogue(models, providers)


def _entries(path: Path, key: str, kind: type[T]) -> Iterator[T]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserMistake(f"{path}: can't be read: {error}") from error
    for other in data.keys() - {key}:
        raise UserMistake(f"{path}: unknown table {other!r}: only [[{key}]]")
    entries = data.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserMistake(f"{path}: {key} is to be written as [[{key}]], a table for each")
    for number, entry in enumerate(entries, 1):
        name = entry.get("name", f"entry {number}")
        try:
            yield kind.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UserMistake(f"{path}: {name}: {where + ': ' if where else ''}{first['msg']}") from error


def _once(path: Path, names: Iterator[str]) -> None:
    """Refuse a name or alias that stands twice, whatever its case."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise UserMistake(f"{path}: {name}: this name or alias stands twice")
        seen.add(name.lower())
