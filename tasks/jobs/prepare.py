"""Settle everything a job needs before it runs: routes, accounts, prompts. Nothing is paid here."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tasks.chunking.tokenizer import Tokenizer, load_tokenizer
from tasks.dispatch.client import Client
from tasks.documents.document import Documents
from tasks.documents.listing import list_documents
from tasks.errors import CallFailed, UserMistake
from tasks.jobs.options import Options
from tasks.jobs.prompts import Prompts, load_prompts
from tasks.providers.account import Account, Keys, account_of, read_environment
from tasks.providers.local_model import local_model_name, local_model_path, require_extra
from tasks.providers.openai import model_entries
from tasks.providers.registry import wire_of
from tasks.providers.wire import Reply
from tasks.routing.catalogue import Catalogue, Provider, load_catalogue
from tasks.routing.choice import COMPATIBLE, LOCAL, Candidate, Route, Wish, choose, resolve
from tasks.routing.price import parse_price

ASK_SECONDS = 10.0
LISTED = 12


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a job's way: a route, who is asked there, and with what limits."""

    route: Route
    provider: Provider
    account: Account | None  # None: the local server, started with the job
    tokenizer: Tokenizer


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job ready to be planned and run."""

    flow: str
    inputs: tuple[str, ...]
    options: Options
    stops: tuple[Stop, ...]
    prompts: Prompts
    local_model: Path | None

    @property
    def work(self) -> str:
        """The identity of all that decides about an answer, inputs apart."""
        return _hash([self._answers(), vars_of(self.prompts)])

    @property
    def identity(self) -> str:
        """The identity of the whole job: the same command has the same one."""
        options = self.options
        which = [options.limit, options.text_column, options.id_column, options.retry_failed]
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
        return f"local:{self.local_model.name}:{self.local_model.stat().st_size}" if self.local_model else "local"


def prepare(flow: str, inputs: Sequence[str], options: Options, *, keys: Keys = lambda _: None) -> Prepared:
    """Choose the routes and check everything that can be checked without paying.

    `keys` is asked for a provider's key where the environment has none.

    Raises UserMistake, naming the thing and the fix.
    """
    environment = read_environment()
    catalogue = load_catalogue()
    prompts = load_prompts(flow, options.prompt)
    wishes = [Wish(options.model, options.provider), *map(_fallback, options.fallback)]
    model_name = local_model_name(environment)
    available = _available(catalogue, environment, keys)
    candidates = [choose(wish, catalogue, available, model_name) for wish in wishes]
    local = None
    if any(candidate.provider.name == LOCAL for candidate in candidates):
        require_extra()
        local = local_model_path(environment)
    stops = tuple(_stop(candidate, options, environment, keys, local) for candidate in candidates)
    if options.budget is not None:
        _require_prices(stops)
    return Prepared(flow, tuple(inputs), options, stops, prompts, local)


def _available(catalogue: Catalogue, environment: dict[str, str], keys: Keys) -> list[str]:
    """Return the providers that are spoken to and have an account."""
    found = []
    for provider in catalogue.providers:
        if provider.wire in ("none", "local"):
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
    )


def _fallback(text: str) -> Wish:
    provider, slash, model = text.partition("/")
    if not slash or not model:
        raise UserMistake(f"--fallback {text}: give PROVIDER/MODEL, as in apipie/mistral-nemo")
    return Wish(model, provider)


def _stop(candidate: Candidate, options: Options, environment: dict[str, str], keys: Keys, local: Path | None) -> Stop:
    provider = candidate.provider
    wire_of(provider.name, provider.wire)
    account = None if provider.name == LOCAL else _account(provider, environment, keys)
    if options.price is not None:
        _check_price(options.price)
    route = resolve(
        candidate,
        told=partial(_told, candidate, account, local, asked=options.context is None),
        context=options.context,
        max_answer=options.max_output_tokens,
        price=parse_price(options.price) if options.price else None,
        gguf=str(local) if local else None,
    )
    return Stop(route, provider, account, load_tokenizer(route.tokenizer))


def _check_price(text: str) -> None:
    try:
        parse_price(text)
    except ValueError:
        raise UserMistake(f"--price {text}: give IN/OUT in USD per million tokens, as in 0.2/0.6") from None


def _told(candidate: Candidate, account: Account | None, local: Path | None, *, asked: bool) -> int | None:
    """Ask the server for a model's window: its model list, then llama.cpp's /props.

    With --context a server that can't be reached is no mistake: it may come up later.
    """
    if account is None:
        return _trained_context(local) if local else None
    wire = wire_of(candidate.provider.name, candidate.provider.wire)
    try:
        models = asyncio.run(_get(account, "/models"))
    except CallFailed as error:
        if not asked:
            return None
        raise UserMistake(
            f"{candidate.provider.name} at {account.base_url} can't be asked for the window of {candidate.name} "
            f"({error}): start the server, mend its base URL, or give --context N"
        ) from error
    if models.status == 200 and not model_entries(models) and b"<" in models.body[:100]:
        variable = candidate.provider.base_url_variable
        message = f"{account.base_url} answers HTML, not JSON: mend {variable} (it usually ends in /v1)"
        raise UserMistake(message)
    listed = [str(entry.get("id") or entry.get("model")) for entry in model_entries(models)]
    if asked and listed and candidate.model is None and candidate.id not in listed:
        names = ", ".join(listed[:LISTED]) + (" …" if len(listed) > LISTED else "")
        raise UserMistake(f"{account.base_url} serves no model {candidate.id!r}: --model is one of {names}")
    window = wire.window(models, candidate.id)
    if window is None and candidate.provider.name == COMPATIBLE:
        window = asyncio.run(_props(account))
    return window


async def _get(account: Account, path: str) -> Reply:
    async with Client() as client:
        return await client.get(account.base_url + path, account.headers(), ASK_SECONDS)


async def _props(account: Account) -> int | None:
    """llama.cpp tells the context of a slot at /props, above /v1."""
    root = account.base_url.removesuffix("/v1")
    try:
        async with Client() as client:
            reply = await client.get(root + "/props", account.headers(), ASK_SECONDS)
        number = json.loads(reply.body)["default_generation_settings"]["n_ctx"]
    except (CallFailed, ValueError, KeyError, TypeError):
        return None
    return number if isinstance(number, int) and number > 0 else None


def _trained_context(path: Path) -> int | None:
    from tasks.chunking.gguf import trained_context  # noqa: PLC0415 - only for a model file of the user's own

    return trained_context(path)


def _require_prices(stops: Sequence[Stop]) -> None:
    for stop in stops:
        if stop.route.price is None:
            route = f"{stop.route.provider}/{stop.route.model}"
            raise UserMistake(f"--budget needs a price, and that of {route} isn't known: give it with --price IN/OUT")


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def vars_of(prompts: Prompts) -> list[str]:
    """Return the templates' texts, for the identity of a job."""
    return [prompts.map, prompts.reduce, prompts.refine, prompts.go_on]


def docmill_version() -> str:
    """Return the installed version, or `0` in a checkout that isn't installed."""
    try:
        return version("docmill")
    except PackageNotFoundError:
        return "0"
