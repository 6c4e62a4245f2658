"""Which routes can serve what was asked for: models at providers, before their windows are known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.base.errors import UserMistake
from tasks.models.catalogue import Catalogue, Model, Provider, Served

LOCAL = "local"
COMPATIBLE = "openai-compatible"
POOL = "pool"
EMBEDDING = "Embedding"


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """What the user asked for: `model` and `provider` as typed, either may be None.

    A provider may name where an aggregator is to send the calls: `apipie@bedrock`, or
    `apipie@pool` for one of its pools, whose name is then the model's.
    """

    model: str | None = None
    provider: str | None = None
    subtype: str = "Chat"

    @property
    def is_embedding(self) -> bool:
        """Whether vectors are wanted, not text."""
        return self.subtype == EMBEDDING

    @property
    def is_automatic(self) -> bool:
        """Whether the provider is to be chosen."""
        return (self.provider or "auto").lower() == "auto"


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

    @property
    def label(self) -> str:
        """How the route is called: PROVIDER/MODEL, or PROVIDER@UPSTREAM/MODEL."""
        return f"{self.provider.name}{f'@{self.upstream}' if self.upstream else ''}/{self.name}"


def candidates(wish: RouteRequest, catalogue: Catalogue, available: Sequence[str], local_model: str) -> list[Candidate]:
    """Return the routes that fit the request: one if it names a provider, else all of the `available` providers.

    `available` are the providers with an account. Without a named model and without an account, it is
    the local model. Raises UserMistake if the request can't be met, listing what is possible.
    """
    if wish.is_automatic:
        return _automatic(wish, catalogue, [name for name in available if name != LOCAL], local_model)
    name, _, upstream = (wish.provider or "").lower().partition("@")
    provider = catalogue.provider(name)
    if provider.name == LOCAL:
        found = [_local(wish.model, catalogue, local_model)]
    elif wish.model is None:
        raise UserMistake(f"--provider {name} needs --model: {_listed(provider, catalogue, wish)}")
    else:
        found = [_at(provider, wish.model, upstream or None, catalogue)]
    _require_kind(found[0], wish)
    return found


def _require_kind(candidate: Candidate, wish: RouteRequest) -> None:
    """Refuse a model of the wrong kind: one that writes no text, or makes no vectors."""
    if candidate.model is None or (candidate.model.subtype == EMBEDDING) == wish.is_embedding:
        return
    if wish.is_embedding:
        raise UserMistake(f"{candidate.name} is no embedding model: it makes no vectors; choose one, as mistral-embed")
    raise UserMistake(f"{candidate.name} is an embedding model: it writes no text; choose a chat model")


def _automatic(wish: RouteRequest, catalogue: Catalogue, remote: Sequence[str], local_model: str) -> list[Candidate]:
    wants_local = wish.model is not None and wish.model.lower() == local_model.lower()
    if wants_local or (not remote and wish.model is None):
        return [_local(None, catalogue, local_model)]
    if not remote:
        raise UserMistake(
            f"no provider with a key serves {wish.model}: set APIPIE_API_KEY, OPENROUTER_API_KEY or another's, "
            "or OPENAI_BASE_URL and OPENAI_API_KEY; without --model the local model runs"
        )
    model = catalogue.find(wish.model) if wish.model else None
    if wish.model is not None and model is None:
        return _unknown(wish.model, catalogue, remote)
    if model is not None:
        _require_kind(Candidate(catalogue.provider(remote[0]), model.name, model.name, model), wish)
    wanted = (model,) if model else tuple(one for one in catalogue.models if one.subtype == wish.subtype)
    found = [one for each in wanted for one in _routes(each, catalogue, remote)]
    if found:
        return found
    if model is not None:
        return [_elsewhere(model, catalogue, remote)]
    if COMPATIBLE in remote:
        compatible = catalogue.provider(COMPATIBLE)
        raise UserMistake(f"{COMPATIBLE} needs --model: {_listed(compatible, catalogue, wish)}")
    raise UserMistake(
        f"no provider with a key ({', '.join(remote)}) has a {wish.subtype} model in the catalogue: --model"
    )


def _routes(model: Model, catalogue: Catalogue, remote: Sequence[str]) -> Iterator[Candidate]:
    """Yield a model's routes: straight, and through aggregators."""
    served = [row for row in model.routes if row.available is not False]
    for row in served:
        if row.provider in remote:
            yield _at(catalogue.provider(row.provider), model.name, None, catalogue)
    for aggregator in (one for one in catalogue.aggregators if one.name in remote):
        for row in model.routes:
            behind = catalogue.behind(model, aggregator.name, row.provider)
            if row.provider != LOCAL and (behind or row).available is not False:
                yield _at(aggregator, model.name, row.provider, catalogue)


def _elsewhere(model: Model, catalogue: Catalogue, remote: Sequence[str]) -> Candidate:
    """Return the route at a compatible server for a catalogue model that no available provider serves."""
    if COMPATIBLE not in remote:
        places = ", ".join(row.provider for row in model.routes)
        raise UserMistake(f"no provider with a key ({', '.join(remote)}) serves {model.name}: it is at {places}")
    return _at(catalogue.provider(COMPATIBLE), model.name, None, catalogue)


def _unknown(name: str, catalogue: Catalogue, remote: Sequence[str]) -> list[Candidate]:
    """Route a model outside the catalogue: to all that list it, else to a compatible server or an aggregator."""
    listed = [(one, catalogue.live(one, name)) for one in remote]
    there = [one for one, row in listed if row is not None and row.available is not False]
    first = (COMPATIBLE, *(one.name for one in catalogue.aggregators))
    order = [one for one in (*first, *remote) if one in remote]
    return [_at(catalogue.provider(one), name, None, catalogue) for one in there or order[:1]]


def _local(model: str | None, catalogue: Catalogue, local_model: str) -> Candidate:
    if model is not None and model.lower() != local_model.lower():
        raise UserMistake(
            f"--provider local serves {local_model}, not {model!r}: leave --model out, "
            "or name another GGUF file in DOCMILL_LOCAL_MODEL"
        )
    return _at(catalogue.provider(LOCAL), local_model, None, catalogue)


def _at(provider: Provider, name: str, upstream: str | None, catalogue: Catalogue) -> Candidate:
    model = catalogue.find(name)
    if upstream is not None and not provider.aggregator:
        names = " and ".join(one.name for one in catalogue.aggregators)
        raise UserMistake(f"{provider.name}@{upstream}: only {names} routes to other providers")
    if upstream == POOL:
        return Candidate(provider, name, name, upstream=POOL)
    if upstream is not None:
        catalogue.provider(upstream)
    where = upstream or provider.name
    served = next((row for row in model.routes if row.provider == where), None) if model else None
    if upstream and model and not served:
        places = ", ".join(row.provider for row in model.routes)
        raise UserMistake(f"{upstream} doesn't serve {name}: it is at {places}")
    if upstream and model:
        served = catalogue.behind(model, provider.name, upstream) or (
            _not_listed(served) if catalogue.lists_behind(provider.name) else served
        )
    wire_name = model.name if model and provider.aggregator else name
    label = model.name if model else name
    wire_name = (served and not upstream and served.id) or wire_name
    if model is None and upstream is None:
        served = catalogue.live(provider.name, name)
    return Candidate(provider, label, wire_name, model, served, upstream)


def _not_listed(served: Served | None) -> Served | None:
    """Mark a row that the aggregator's own list lacks: it may be gone, and its price there is unknown."""
    gone = {"is_gone": True, "input_price": None, "output_price": None}
    return served.model_copy(update=gone) if served else None


def _listed(provider: Provider, catalogue: Catalogue, wish: RouteRequest) -> str:
    """List the models of a provider as the catalogue knows them; the aggregator has all."""
    names = [
        model.name
        for model in catalogue.models
        if (model.subtype == EMBEDDING) == wish.is_embedding
        and any(
            provider.name == row.provider or (provider.aggregator and row.provider != LOCAL) for row in model.routes
        )
    ]
    return ", ".join(names) if names else "ask the server for its list (GET /models)"
