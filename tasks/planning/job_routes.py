"""The routes of a job: settled, best first, and those that were left out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tasks.base.errors import UserMistake
from tasks.base.settings import Settings
from tasks.calls.cutting import LEAST_ROOM, Cutter
from tasks.calls.embedding_cutter import embed_cutter
from tasks.calls.estimate import CHARACTERS_A_TOKEN, Expected
from tasks.calls.packing import Packing
from tasks.chunking.tokenizer import Tokenizer, load_tokenizer
from tasks.models.candidates import LOCAL, Candidate
from tasks.models.catalogue import Model, Provider
from tasks.models.price import Price, parse_price
from tasks.models.ranking import Offer, average, latency_at, ranked, weights
from tasks.models.route import Route, resolve
from tasks.planning.accounts import account_with
from tasks.planning.latency_history import Key
from tasks.planning.windows import told_window
from tasks.prompting.answer_form import Form
from tasks.prompting.options import EmbedOptions, Options
from tasks.prompting.templates import NO_PROMPTS, SCHEMA, Fields, Prompts, load_prompts
from tasks.providers.account import Account
from tasks.providers.protocol import Completion, Message
from tasks.providers.registry import wire_of
from tasks.providers.vectors import Embedding
from tasks.strategies.named import STRATEGIES, of_text, usual_answer

# integrity 12 asks twice, 13 three times, and the vote is another call.
FIRST_VOTE = 9


@dataclass(frozen=True, slots=True)
class JobRoute:
    """A route with all that asking it takes; `share` is its part of a pool's work.

    `latency` is its seconds per call by prompt size, measured in earlier runs or from the provider's list.
    """

    route: Route
    provider: Provider
    account: Account | None  # None: the local server, started with the job
    tokenizer: Tokenizer
    prompts: Prompts
    latency: tuple[float | None, ...] = ()
    share: float = 1.0
    form: Form | None = None
    is_doubtful: bool = False  # its provider's list lacks the model
    # Of an embedding model.
    dimensions: int | None = None
    tokens_per_request: int | None = None

    @property
    def label(self) -> str:
        """How the route is called."""
        return self.route.label

    def cutter(self, options: Options) -> Cutter:
        """Return what cuts texts for it."""
        cutter = Cutter(self.route, self.tokenizer, self.prompts, STRATEGIES[options.strategy])
        if self.form is None:
            return cutter
        return replace(cutter, fields={SCHEMA: self.form.text}, reduces=self.form.asks_to_merge)

    def packing(self, options: EmbedOptions) -> Packing:
        """Return what one of its requests may hold of texts to embed."""
        return Packing(options.inputs_per_request or self.provider.inputs_per_request, self.tokens_per_request)


@dataclass(frozen=True, slots=True)
class RouteResolver:
    """Settles candidates into routes: their accounts, windows, prices and prompts."""

    flow: str
    options: Options
    settings: Settings
    local: Path | None
    history: Mapping[Key, tuple[float | None, ...]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    form: Form | None = None
    columns: tuple[str, ...] = ()

    def resolve(self, candidate: Candidate, *, ask: bool = True) -> JobRoute:
        """Return the route of a candidate, settled; `ask` the server for a window that nobody else tells.

        Raises UserMistake where it can't be one.
        """
        options, provider = self.options, candidate.provider
        account = None if provider.name == LOCAL else account_with(provider, self.settings)
        route = resolve(
            candidate,
            told=partial(told_window, candidate, account, self.local, self.settings, asked=options.context is None)
            if ask
            else _untold,
            context=options.context,
            max_answer=0 if options.embedding else options.max_output_tokens,
            price=_price(options.price),
            gguf=str(self.local) if self.local else None,
        )
        if options.integrity and provider.votes:
            route = replace(route, price=_times(route.price, options.integrity - FIRST_VOTE))
        told = candidate.served.latency if candidate.served else ()
        latency = self.history.get((route.provider, route.upstream, route.model)) or told
        doubtful = candidate.served is not None and candidate.served.is_gone
        job_route = JobRoute(
            route, provider, account, load_tokenizer(route.tokenizer), NO_PROMPTS, latency, is_doubtful=doubtful
        )
        if options.embedding:
            return _embedding(job_route, candidate.model, options.embedding)
        wire_of(provider.wire).completion(Completion(route.id, (Message("user", ""),), 1))  # which may refuse the id
        fields = Fields(self.columns, self.form is not None)
        prompts = load_prompts(self.flow, route.subtype, options.prompt, fields, options.prompt_words)
        job_route = replace(job_route, prompts=prompts, form=self.form)
        _require_templates(job_route, options, self.flow)
        _require_room(job_route, options)
        return job_route

    def possible(self, candidates: Sequence[Candidate]) -> list[JobRoute]:
        """Return the routes of those that fit, and note why others don't. Raises UserMistake where none does."""
        found = []
        _require_known(self.options.exclude, candidates)
        alone = len(candidates) == 1
        for candidate in candidates:
            try:
                if (why := _unwanted(candidate, self.options)) is not None:
                    self.left_out[candidate.label] = why
                    continue
                job_route = self.resolve(candidate, ask=alone)  # lists were read just now
                if job_route.route.window.context < (self.options.min_context or 0):
                    self.left_out[candidate.label] = f"its window of {job_route.route.window.context:,} is too small"
                    continue
                found.append(job_route)
            except UserMistake as error:
                if alone:
                    raise
                self.left_out[candidate.label] = str(error)
        if not found:
            whys = "; ".join(f"{label}: {why}" for label, why in list(self.left_out.items())[:3])
            raise UserMistake(f"no route is left: {whys}")
        return found


def _embedding(job_route: JobRoute, model: Model | None, options: EmbedOptions) -> JobRoute:
    """Return the route of an embedding model. Raises UserMistake for dimensions or chunks that it hasn't."""
    wire_of(job_route.provider.wire).embedding(Embedding(job_route.route.id, ("",)))  # which may refuse the id
    embed_cutter(job_route.route, job_route.tokenizer, options)
    known = model.dimensions if model else None
    if model and known and options.dimensions not in (None, known, *model.smaller_dimensions):
        sizes = ", ".join(map(str, (*model.smaller_dimensions, known)))
        raise UserMistake(f"--dimensions {options.dimensions}: {model.name} has vectors of {sizes}")
    return replace(job_route, dimensions=known, tokens_per_request=model.tokens_per_request if model else None)


def best_first(job_routes: Sequence[JobRoute], texts: Sequence[str], options: Options) -> list[JobRoute]:
    """Return the routes by `--routing`, for a job over texts like these, with their shares of a pool."""
    sizes: dict[str, list[int]] = {}
    for job_route in job_routes:
        if job_route.route.tokenizer not in sizes:
            sizes[job_route.route.tokenizer] = [job_route.tokenizer.count(text) for text in texts]
    offers = ranked(
        [_offer(job_route, sizes[job_route.route.tokenizer], options) for job_route in job_routes], options.routing
    )
    shares = weights(offers, options.routing)
    ordered = [replace(offer.route, share=share) for offer, share in zip(offers, shares, strict=True)]
    return sorted(ordered, key=lambda job_route: job_route.is_doubtful)


def _offer(job_route: JobRoute, sizes: Sequence[int], options: Options) -> Offer[JobRoute]:
    if options.embedding:
        cost = job_route.route.price.cost(sum(sizes), 0) if job_route.route.price else None
        return Offer(
            job_route,
            cost,
            latency_at(job_route.latency, 0),
            average(job_route.latency),
            job_route.route.window.context,
        )
    cutter = job_route.cutter(options)
    answer = usual_answer(cutter, custom=options.prompt is not None)
    expected = sum((of_text(tokens, cutter, answer) for tokens in sizes), Expected())
    price = job_route.route.price
    characters = CHARACTERS_A_TOKEN * expected.prompt_tokens / max(expected.calls, 1)
    return Offer(
        job_route,
        price.cost(expected.prompt_tokens, expected.completion_tokens) if price else None,
        latency_at(job_route.latency, characters),
        average(job_route.latency),
        job_route.route.window.context,
    )


def _times(price: Price | None, copies: int) -> Price | None:
    """Return the price of asking a model so many times for one answer."""
    if price is None:
        return None
    return Price(price.input * copies, price.output * copies, price.checked, f"{price.source}, {copies} times over")


def _untold() -> None:
    """Return None without asking a server."""


def _names(candidate: Candidate) -> set[str]:
    """Return the words that --exclude leaves a route out by."""
    provider, upstream = candidate.provider.name, candidate.upstream
    behind = {f"{provider}@{upstream}", upstream} if upstream else set()
    return {candidate.label.lower(), provider, candidate.name.lower(), *behind}


def _require_known(words: Sequence[str], candidates: Sequence[Candidate]) -> None:
    """Refuse a word of --exclude that excludes nothing: it is misspelt, and the route it means would be paid for."""
    known = set[str]().union(*map(_names, candidates))
    for word in words:
        if word.lower() not in known:
            raise UserMistake(f"--exclude {word}: no route is called so: {', '.join(sorted(known))}")


def _unwanted(candidate: Candidate, options: Options) -> str | None:
    """Say why a route isn't wanted, by --exclude or --max-price; or None."""
    if not _names(candidate).isdisjoint(word.lower() for word in options.exclude):
        return "excluded"
    most = _price(options.max_price, "--max-price")
    price = _price(options.price) or (candidate.served.price if candidate.served else None)
    if most is None:
        return None
    if price is None:
        return "its price isn't known, and --max-price is given"
    dear = price.input > most.input or price.output > most.output
    return f"dearer than --max-price: {price.input:g}/{price.output:g}" if dear else None


def _price(text: str | None, flag: str = "--price") -> Price | None:
    if text is None:
        return None
    one = flag == "--max-price" and "/" not in text
    try:
        return parse_price(f"{text}/{text}" if one else text)
    except ValueError:
        message = f"{flag} {text}: give IN/OUT in USD per million tokens, as in 0.2/0.6"
        raise UserMistake(message) from None


def _require_templates(job_route: JobRoute, options: Options, flow: str) -> None:
    """Raise UserMistake where the flow's shipped prompts lack what a strategy asks by."""
    strategy = STRATEGIES[options.strategy]
    needed = strategy.more_stages if strategy.name == "refine" or job_route.cutter(options).reduces else ()
    if not all(getattr(job_route.prompts, stage) for stage in needed):
        raise UserMistake(f"--strategy {options.strategy}: {flow} has no prompt for it: leave it out, or give --prompt")


def _require_room(job_route: JobRoute, options: Options) -> None:
    """Refuse at once a prompt that leaves no room for any text in its window."""
    room = job_route.cutter(options).room(job_route.prompts.stuff)
    if room < LEAST_ROOM:
        raise UserMistake(
            f"the prompt and --max-output-tokens {options.max_output_tokens} leave no room for text in the "
            f"{job_route.route.window.context} tokens of {job_route.route.model}: shorten --prompt or the answer"
        )


def sampled(texts: Iterator[str], most: int) -> list[str]:
    """Return the first texts, of so many characters together; the last is cut off."""
    found: list[str] = []
    left = most
    for text in texts:
        found.append(text[:left])
        left -= len(found[-1])
        if left <= 0:
            break
    return found
