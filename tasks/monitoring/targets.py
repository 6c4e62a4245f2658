"""Which routes are looked at: those that are named, else all with a key, and the local models."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tasks.base.errors import UserMistake
from tasks.base.settings import Settings
from tasks.models.candidates import COMPATIBLE, LOCAL, Candidate, RouteRequest, candidates
from tasks.models.catalogue import Catalogue
from tasks.models.price import Price
from tasks.models.route import price_of
from tasks.monitoring.health_records import Kind
from tasks.planning.accounts import account_with, available
from tasks.planning.windows import served_models
from tasks.providers.account import Account
from tasks.providers.local_model import local_model_at_hand, local_model_name, local_model_path, require_extra
from tasks.providers.local_vectors import MODEL as WORDLLAMA

KINDS: Mapping[str, Kind] = {"Chat": "chat", "Code": "code", "Embedding": "embedding"}


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One route to look at; without an account it is a model of this machine."""

    candidate: Candidate
    kind: Kind
    account: Account | None
    price: Price | None
    is_named: bool = False

    @property
    def provider(self) -> str:
        """The provider, with the one behind it, if any, as PROVIDER@UPSTREAM."""
        upstream = self.candidate.upstream
        return f"{self.candidate.provider.name}@{upstream}" if upstream else self.candidate.provider.name

    @property
    def model(self) -> str:
        """The model's name."""
        return self.candidate.name

    @property
    def context(self) -> int | None:
        """The window in tokens, from the catalogue or a provider's list."""
        return self.candidate.served.context if self.candidate.served else None


@dataclass(frozen=True, slots=True)
class Looking:
    """Finds the routes; a `price` holds for those that have none."""

    catalogue: Catalogue
    settings: Settings
    price: Price | None = None
    kind: Kind | None = None
    _there: list[str] = field(default_factory=list)

    def targets(self, provider: str | None, model: str | None, routes: Sequence[str]) -> list[ProbeTarget]:
        """Return the routes that are named, else all there are. Raises UserMistake for a name that fits nothing."""
        is_named = bool(provider or model or routes)
        self._there.extend(available(self.catalogue, self.settings))
        found = self._named(provider, model, routes) if is_named else self._all()
        unique = {one.label: one for one in found}
        targets = [self._target(one, is_named=is_named) for one in unique.values()]
        wanted = [one for one in targets if self.kind in (None, one.kind)]
        if not wanted:
            raise UserMistake(
                "no route to look at: set a provider's key, pip install 'docmill[local]', or name --routes P/M"
            )
        return wanted

    def _named(self, provider: str | None, model: str | None, routes: Sequence[str]) -> Iterator[Candidate]:
        for route in routes:
            place, slash, name = route.partition("/")
            if not slash or not name:
                raise UserMistake(f"--routes {route}: give PROVIDER/MODEL, as in apipie/mistral-nemo")
            yield from self._wished(place, name)
        if model:
            yield from self._wished(provider, model)
        elif provider:
            yield from self._at(provider)

    def _wished(self, provider: str | None, model: str) -> list[Candidate]:
        return candidates(
            RouteRequest(model, provider, self._subtype(model)), self.catalogue, self._there, self._local_name(model)
        )

    def _subtype(self, model: str) -> str:
        known = self.catalogue.find(model)
        if known is not None:
            return known.subtype
        return "Embedding" if self.kind == "embedding" or model == WORDLLAMA else "Chat"

    def _at(self, name: str) -> Iterator[Candidate]:
        """Yield the models of one provider."""
        provider = self.catalogue.provider(name.partition("@")[0])
        if provider.name == LOCAL:
            yield from self._wished(LOCAL, local_model_name(self.settings))
            yield from self._wished(LOCAL, WORDLLAMA)
            return
        names = self._compatible() if provider.name == COMPATIBLE else self._catalogued(name)
        if not names:
            raise UserMistake(f"--provider {name}: no model of it is known: name one with --model")
        for model in names:
            yield from self._wished(name, model)

    def _catalogued(self, provider: str) -> list[str]:
        """Return the models that the catalogue has at a provider; an aggregator has all."""
        place, _, upstream = provider.lower().partition("@")
        has_all = self.catalogue.provider(place).aggregator and not upstream
        return [
            model.name
            for model in self.catalogue.models
            if model.subtype in KINDS and any((upstream or place) == row.provider or has_all for row in model.routes)
        ]

    def _compatible(self) -> list[str]:
        return served_models(account_with(self.catalogue.provider(COMPATIBLE), self.settings), self.settings)

    def _all(self) -> Iterator[Candidate]:
        """Yield all routes with a key, and the models of this machine that need no fetching."""
        if set(self._there) - {COMPATIBLE, LOCAL}:
            for subtype in KINDS:
                yield from self._automatic(subtype)
        if COMPATIBLE in self._there:
            for model in self._compatible():
                yield from self._wished(COMPATIBLE, model)
        if local_model_at_hand(self.settings):
            yield from self._wished(LOCAL, local_model_name(self.settings))
        if find_spec("wordllama") is not None:
            yield from self._wished(LOCAL, WORDLLAMA)

    def _automatic(self, subtype: str) -> Iterable[Candidate]:
        try:
            return candidates(RouteRequest(None, None, subtype), self.catalogue, self._there, "")
        except UserMistake:  # none of them has a model of that kind
            return ()

    def _local_name(self, model: str) -> str:
        return WORDLLAMA if model == WORDLLAMA else local_model_name(self.settings)

    def _target(self, candidate: Candidate, *, is_named: bool) -> ProbeTarget:
        is_local = candidate.provider.name == LOCAL
        account = None if is_local else account_with(candidate.provider, self.settings)
        price = Price(0.0, 0.0, source="this machine") if is_local else price_of(candidate) or self.price
        kind = KINDS.get(self._subtype(candidate.name), "chat")
        return ProbeTarget(candidate, kind, account, price, is_named)


def local_file(settings: Settings) -> Path:
    """Return the local model's file. Raises UserMistake where it isn't installed or can't be fetched."""
    require_extra()
    return local_model_path(settings)
