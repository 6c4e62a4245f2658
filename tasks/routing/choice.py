"""Choose the routes of a job: which model, at which provider, within which window."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.errors import UserMistake
from tasks.routing.catalogue import Catalogue, Model, Provider, Served

LOCAL = "local"
AGGREGATOR = "apipie"
COMPATIBLE = "openai-compatible"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for: `model` and `provider` as typed, either may be None.

    A provider may name where an aggregator is to send the calls:
    `apipie@bedrock`.
    """

    model: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A (provider, model) pair before its window is known.

    `id` goes on the wire; `upstream` is the provider behind an aggregator;
    `model` is the catalogue's entry and `served` its row, where they exist.
    """

    provider: Provider
    name: str
    id: str
    model: Model | None = None
    served: Served | None = None
    upstream: str | None = None


def choose(wish: Wish, catalogue: Catalogue, available: Sequence[str], local_model: str) -> Candidate:
    """Return the route that fits the wish; `available` are the providers with an account.

    Without a wish: the cheapest chat route behind a key, else the local model.

    Raises UserMistake where the wish can't be met, listing what could be.
    """
    remote = [name for name in available if name != LOCAL]
    name = (wish.provider or "auto").lower()
    if name == "auto":
        wants_local = wish.model is not None and wish.model.lower() == local_model.lower()
        if wants_local or (not remote and wish.model is None):
            return _local(None, catalogue, local_model)
        return _automatic(wish.model, catalogue, remote)
    name, _, upstream = name.partition("@")
    provider = catalogue.provider(name)
    if provider.name == LOCAL:
        return _local(wish.model, catalogue, local_model)
    if wish.model is None:
        raise UserMistake(f"--provider {name} needs --model: {_listed(provider, catalogue)}")
    return _at(provider, wish.model, upstream or None, catalogue)


def _local(model: str | None, catalogue: Catalogue, local_model: str) -> Candidate:
    if model is not None and model.lower() != local_model.lower():
        raise UserMistake(
            f"--provider local serves {local_model}, not {model!r}: leave --model out, "
            "or name another GGUF file in DOCMILL_LOCAL_MODEL"
        )
    return _at(catalogue.provider(LOCAL), local_model, None, catalogue)


def _automatic(model: str | None, catalogue: Catalogue, remote: Sequence[str]) -> Candidate:
    """Prefer the aggregator for what the catalogue knows, and a compatible server for the rest."""
    if not remote:
        raise UserMistake(
            f"no provider with a key serves {model}: set APIPIE_API_KEY, "
            "or OPENAI_BASE_URL and OPENAI_API_KEY; without --model the local model runs"
        )
    known = model is None or catalogue.find(model) is not None
    order = (AGGREGATOR, COMPATIBLE) if known else (COMPATIBLE, AGGREGATOR)
    provider = catalogue.provider(next(name for name in order if name in remote))
    if model is not None:
        return _at(provider, model, None, catalogue)
    if provider.name != AGGREGATOR:
        raise UserMistake(f"{provider.name} needs --model: {_listed(provider, catalogue)}")
    return _cheapest(provider, catalogue)


def _cheapest(provider: Provider, catalogue: Catalogue) -> Candidate:
    """Choose the cheapest chat route of known price behind the aggregator; of equals the widest window."""
    priced = [
        ((served.price.input + served.price.output, -served.context), model, served)
        for model, served in catalogue.routes()
        if served.price and served.context and model.subtype == "Chat" and served.provider != LOCAL
    ]
    _, model, served = min(priced, key=lambda row: row[0])
    return Candidate(provider, model.name, model.name, model, served, served.provider)


def _at(provider: Provider, name: str, upstream: str | None, catalogue: Catalogue) -> Candidate:
    model = catalogue.find(name)
    if model is not None and model.subtype == "Embedding":
        raise UserMistake(f"{name} is an embedding model: it writes no text; choose a chat model")
    where = upstream or provider.name
    served = next((row for row in model.routes if row.provider == where), None) if model else None
    if upstream is not None:
        catalogue.provider(upstream)
        if provider.name != AGGREGATOR:
            raise UserMistake(f"{provider.name}@{upstream}: only {AGGREGATOR} routes to other providers")
        if model and not served:
            places = ", ".join(row.provider for row in model.routes)
            raise UserMistake(f"{upstream} doesn't serve {name}: it is at {places}")
    wire_name = model.name if model and provider.name == AGGREGATOR else name
    label = model.name if model else name
    return Candidate(provider, label, (served and not upstream and served.id) or wire_name, model, served, upstream)


def _listed(provider: Provider, catalogue: Catalogue) -> str:
    """List the models of a provider as the catalogue knows them; the aggregator has all."""
    names = [
        model.name
        for model in catalogue.models
        if model.subtype != "Embedding"
        and any(
            provider.name == row.provider or (provider.name == AGGREGATOR and row.provider != LOCAL)
            for row in model.routes
        )
    ]
    return ", ".join(names) if names else "ask the server for its list (GET /models)"
