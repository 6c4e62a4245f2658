"""Settle everything a job needs before it runs: routes, accounts, prompts. Nothing is paid here."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tasks.chunking.tokenizer import Tokenizer, load_tokenizer
from tasks.documents.document import Documents
from tasks.documents.listing import list_documents
from tasks.errors import UserMistake
from tasks.jobs.cut import LEAST_ROOM, Cutter
from tasks.jobs.options import Options
from tasks.jobs.prompts import Prompts, load_prompts
from tasks.jobs.window import served_models, told_window
from tasks.providers.account import Account, Keys, account_of, read_environment
from tasks.providers.aws import is_hinted
from tasks.providers.local_model import local_identity, local_model_name, local_model_path, require_extra
from tasks.routing.catalogue import Catalogue, Provider, load_catalogue
from tasks.routing.choice import COMPATIBLE, LOCAL, Candidate, Wish, choose
from tasks.routing.price import parse_price
from tasks.routing.route import Route, resolve


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a job's way: a route, who is asked there, and with what limits."""

    route: Route
    provider: Provider
    account: Account | None  # None: the local server, started with the job
    tokenizer: Tokenizer
    prompts: Prompts


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job ready to be planned and run."""

    flow: str
    inputs: tuple[str, ...]
    options: Options
    stops: tuple[Stop, ...]
    local_model: Path | None

    @property
    def work(self) -> str:
        """The identity of all that decides about an answer, inputs apart."""
        return _hash([self._answers(), [astuple(stop.prompts) for stop in self.stops]])

    @property
    def identity(self) -> str:
        """The identity of the whole job: the same command has the same one."""
        options = self.options
        which = [options.limit, options.text_column, options.id_column, options.retry_failed, options.fresh]
        return _hash([self.flow, [str(Path(name).absolute()) for name in self.inputs], self.work, which])

    def documents(self) -> Documents:
        """List the documents anew; raises UserMistake as `list_documents` does."""
        options = self.options
        return list_documents(
            self.inputs, skip=options.output, text_column=options.text_column, id_column=options.id_column
        )

    def _answers(self) -> list[Any]:
        options = self.options
        routes = [
            [stop.route.provider, stop.route.id, stop.route.upstream, self._place(stop), stop.route.tokenizer,
             stop.route.window.context, stop.route.window.max_answer, dict(stop.provider.extras)]
            for stop in self.stops
        ]  # fmt: skip
        return [routes, options.strategy, options.routing]

    def _place(self, stop: Stop) -> str:
        if stop.account is not None:
            return stop.account.place
        return local_identity(self.local_model) if self.local_model else LOCAL


def prepare(flow: str, inputs: Sequence[str], options: Options, *, keys: Keys = lambda _: None) -> Prepared:
    """Choose the routes and check everything that can be checked without paying.

    `keys` is asked for a provider's key where the environment has none.

    Raises UserMistake, naming the thing and the fix.
    """
    environment = read_environment()
    catalogue = load_catalogue()
    wishes = [Wish(options.model, options.provider), *map(_fallback, options.fallback)]
    model_name = local_model_name(environment)
    available = _available(catalogue, environment, keys)
    if options.model is None and (options.provider or "").lower() == COMPATIBLE:
        _name_models(_account(catalogue.provider(COMPATIBLE), environment, keys))
    candidates = [choose(wish, catalogue, available, model_name) for wish in wishes]
    local = None
    if any(candidate.provider.name == LOCAL for candidate in candidates):
        require_extra()
        local = local_model_path(environment)
    stops = tuple(_stop(flow, candidate, options, environment, keys, local) for candidate in candidates)
    if options.budget is not None:
        _require_prices(stops)
    for stop in stops:
        _require_room(stop, options)
    return Prepared(flow, tuple(inputs), options, stops, local)


def _available(catalogue: Catalogue, environment: dict[str, str], keys: Keys) -> list[str]:
    """Return the providers that are spoken to and have an account."""
    found = []
    for provider in catalogue.providers:
        if provider.wire == "local" or (provider.signed and not _seems_there(provider, environment)):
            continue
        try:
            _account(provider, environment, keys)
        except UserMistake:
            continue
        found.append(provider.name)
    return found


def _account(provider: Provider, environment: dict[str, str], keys: Keys) -> Account:
    return account_of(
        provider.name,
        key_variable=provider.key_variable,
        base_url=provider.base_url,
        base_url_variable=provider.base_url_variable,
        environment=environment,
        keys=keys,
        signed=provider.signed,
        extra=provider.headers,
    )


def _seems_there(provider: Provider, environment: dict[str, str]) -> bool:
    """Whether a key or credentials are at hand, without asking the network for them."""
    return bool(environment.get(provider.key_variable or "")) or is_hinted(environment)


def _fallback(text: str) -> Wish:
    provider, slash, model = text.partition("/")
    if not slash or not model:
        raise UserMistake(f"--fallback {text}: give PROVIDER/MODEL, as in apipie/mistral-nemo")
    return Wish(model, provider)


def _stop(
    flow: str, candidate: Candidate, options: Options, environment: dict[str, str], keys: Keys, local: Path | None
) -> Stop:
    provider = candidate.provider
    account = None if provider.name == LOCAL else _account(provider, environment, keys)
    if options.price is not None:
        _check_price(options.price)
    route = resolve(
        candidate,
        told=partial(told_window, candidate, account, local, asked=options.context is None),
        context=options.context,
        max_answer=options.max_output_tokens,
        price=parse_price(options.price) if options.price else None,
        gguf=str(local) if local else None,
    )
    prompts = load_prompts(flow, route.subtype, options.prompt)
    return Stop(route, provider, account, load_tokenizer(route.tokenizer), prompts)


def _check_price(text: str) -> None:
    try:
        parse_price(text)
    except ValueError:
        raise UserMistake(f"--price {text}: give IN/OUT in USD per million tokens, as in 0.2/0.6") from None


def _name_models(account: Account) -> None:
    """Say which models a compatible server has: none was named."""
    names = served_models(account)
    if names:
        raise UserMistake(f"--provider {COMPATIBLE} needs --model: {account.base_url} lists {', '.join(names)}")


def _require_room(stop: Stop, options: Options) -> None:
    """Refuse at once a prompt that leaves no room for any text in its window."""
    room = Cutter(stop.route, stop.tokenizer, stop.prompts, options.strategy).room(stop.prompts.stuff)
    if room < LEAST_ROOM:
        raise UserMistake(
            f"the prompt and --max-output-tokens {options.max_output_tokens} leave no room for text in the "
            f"{stop.route.window.context} tokens of {stop.route.model}: shorten --prompt or the answer"
        )


def _require_prices(stops: Sequence[Stop]) -> None:
    for stop in stops:
        if stop.route.price is None:
            route = f"{stop.route.provider}/{stop.route.model}"
            raise UserMistake(f"--budget needs a price, and that of {route} isn't known: give it with --price IN/OUT")


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def docmill_version() -> str:
    """Return the installed version, or `0` in a checkout that isn't installed."""
    try:
        return version("docmill")
    except PackageNotFoundError:
        return "0"
