"""Settle everything a job needs before it runs: routes, accounts, prompts. Nothing is paid here."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from tasks.base.errors import DocumentFailed, UserMistake
from tasks.base.settings import Settings
from tasks.documents.extract import extract
from tasks.models.candidates import COMPATIBLE, EMBEDDING, LOCAL, Candidate, RouteRequest, candidates
from tasks.models.catalogue import Catalogue
from tasks.planning.accounts import account_with, available, live_catalogue
from tasks.planning.extra_columns import carried_with, table_columns
from tasks.planning.job_routes import JobRoute, RouteResolver, best_first, sampled
from tasks.planning.latency_history import latencies
from tasks.planning.prepared import Prepared, is_automatic, list_inputs
from tasks.planning.refresh import refresh_if_old
from tasks.planning.runners import require_workers
from tasks.planning.saved_routes import Remembered, remembered
from tasks.planning.state_location import state_of
from tasks.planning.windows import served_models
from tasks.prompting.answer_form import Form, make_form
from tasks.prompting.options import Options
from tasks.prompting.templates import columns_in
from tasks.providers.account import Account
from tasks.providers.local_model import local_model_name, local_model_path, require_extra
from tasks.providers.local_vectors import MODEL as WORDLLAMA
from tasks.results.schemas import CONFIDENCE, TABLES

# How many texts, and characters of them, are used to compare routes.
SAMPLE_DOCUMENTS, SAMPLE_CHARACTERS = 200, 1_000_000


def prepare(flow: str, inputs: Sequence[str], options: Options, settings: Settings | None = None) -> Prepared:
    """Choose the routes and check everything that can be checked without paying.

    Without `settings` they are read here. Raises UserMistake, naming the thing and the fix.
    """
    settings = settings or Settings.read()
    options.check()
    require_workers(options, settings)
    _require_whole(options)
    table = table_columns(inputs, options)
    form = _form(options, table)
    catalogue = _catalogue(options, settings)
    found, others = _wished(options, catalogue, settings)
    local = None if options.embedding else _local_model(settings, [*found, *others])
    history = latencies(options.folder, {one.name for one in catalogue.aggregators})
    resolver = RouteResolver(flow, options, settings, local, history, form=form, columns=tuple(table.names))
    state = state_of(options, settings)
    job_routes, rivals = _settled(resolver, found, others, inputs, remembered(options, state))
    _require_answerable(options, job_routes)
    asked = dict.fromkeys(name for job_route in job_routes for name in columns_in(job_route.prompts))
    carried = carried_with(table, asked, _own_columns(options), join=options.join)
    left_out = resolver.left_out
    return Prepared(flow, tuple(inputs), options, settings, state, job_routes, local, rivals, left_out, form, carried)


def _catalogue(options: Options, settings: Settings) -> Catalogue:
    """Return the catalogue with the providers' latest lists, read anew where one of them is to be chosen."""
    if is_automatic(options):
        refresh_if_old(settings)
    catalogue = live_catalogue(settings)
    if options.model is None and (options.provider or "").lower() == COMPATIBLE:
        _name_models(account_with(catalogue.provider(COMPATIBLE), settings), settings)
    return catalogue


def _wished(
    options: Options, catalogue: Catalogue, settings: Settings
) -> tuple[Sequence[Candidate], Sequence[Candidate]]:
    """Return the candidates for what was asked for, and one for each fallback."""
    # Each may be asked of a Prefect server: only where it matters.
    there = available(catalogue, settings) if is_automatic(options) else []
    local_name = WORDLLAMA if options.embedding else local_model_name(settings)
    subtype = EMBEDDING if options.embedding else options.subtype.capitalize()
    found = candidates(RouteRequest(options.model, options.provider, subtype), catalogue, there, local_name)
    others = [candidates(_fallback(text, subtype), catalogue, there, local_name)[0] for text in options.fallback]
    if options.embedding:
        _require_one_model([*found[:1], *others])
    return found, others


def _settled(
    resolver: RouteResolver,
    found: Sequence[Candidate],
    others: Sequence[Candidate],
    inputs: Sequence[str],
    before: Remembered,
) -> tuple[tuple[JobRoute, ...], tuple[JobRoute, ...]]:
    """Return the job's routes, best first and its fallbacks behind them, and the rivals that weren't chosen."""
    chosen, rivals = _chosen(resolver, found, inputs, before)
    # Beside an automatic pool, fallbacks get no share until it fails; with a named provider, they belong to the pool.
    share = 0.0 if is_automatic(resolver.options) else 1.0
    fallbacks = [replace(resolver.resolve(candidate), share=share) for candidate in others]
    new = [job_route for job_route in fallbacks if job_route.label not in {one.label for one in chosen}]
    return tuple(before.as_begun(job_route) for job_route in (*chosen, *new)), tuple(rivals)


def _require_answerable(options: Options, job_routes: Sequence[JobRoute]) -> None:
    """Raise UserMistake where the routes lack what the options need: a price, or a vote."""
    if options.budget is not None:
        _require_prices(job_routes)
    if options.integrity and not any(job_route.provider.votes for job_route in job_routes):
        raise UserMistake("--integrity: only apipie asks several times and votes: give --provider apipie")


def _form(options: Options, table: pa.Schema) -> Form | None:
    read = options.answer_schema()
    if read is None:
        return None
    joined = carried_with(table, (), _own_columns(options), join=options.join).joined
    taken = [*_own_columns(options), *(field.name for field in joined)]
    return make_form(read, options.merge_rule, taken, options.labels_field)


def _own_columns(options: Options) -> list[str]:
    return [*TABLES["documents"].names, *([CONFIDENCE.name] if options.labels_field else [])]


def _chosen(
    resolver: RouteResolver, found: Sequence[Candidate], inputs: Sequence[str], before: Remembered
) -> tuple[list[JobRoute], list[JobRoute]]:
    """Return the routes of what was asked for, and its rivals: all of a pool, else the best one."""
    options = resolver.options
    if not is_automatic(options):
        return [resolver.resolve(found[0])], []
    job_routes = resolver.possible(found)
    if options.budget is not None:
        job_routes = [job_route for job_route in job_routes if job_route.route.price is not None] or job_routes
    texts = sampled(_texts(inputs, options), SAMPLE_CHARACTERS) if len(job_routes) > 1 else []
    ordered = before.ordered(best_first(job_routes, texts, options))
    if not options.pool:
        return ordered[:1], ordered[1:]
    model = ordered[0].route.model  # answers of several models don't make one result set
    return [job_route for job_route in ordered if job_route.route.model == model], []


def _texts(inputs: Sequence[str], options: Options) -> Iterator[str]:
    for document in itertools.islice(list_inputs(inputs, options), SAMPLE_DOCUMENTS):
        try:
            yield extract(document).text
        except DocumentFailed:
            continue


def _local_model(settings: Settings, found: Sequence[Candidate]) -> Path | None:
    if all(candidate.provider.name != LOCAL for candidate in found):
        return None
    require_extra()
    return local_model_path(settings)


def _fallback(text: str, subtype: str) -> RouteRequest:
    provider, slash, model = text.partition("/")
    if not slash or not model:
        raise UserMistake(f"--fallback {text}: give PROVIDER/MODEL, as in apipie/mistral-nemo")
    return RouteRequest(model, provider, subtype)


def _require_one_model(found: Sequence[Candidate]) -> None:
    """Refuse a fallback to another model: its vectors mean something else."""
    for other in found[1:]:
        if other.name != found[0].name:
            raise UserMistake(
                f"--fallback {other.label}: vectors of two models don't go together: name {found[0].name} there"
            )


def _name_models(account: Account, settings: Settings) -> None:
    """Say which models a compatible server has: none was named."""
    names = served_models(account, settings)
    if names:
        raise UserMistake(f"--provider {COMPATIBLE} needs --model: {account.base_url} lists {', '.join(names)}")


def _require_whole(options: Options) -> None:
    """Raise UserMistake where only a part of the inputs is listed: the others aren't gone."""
    if options.prune and (options.limit or options.retry_failed):
        flag = "--limit" if options.limit else "--retry-failed"
        raise UserMistake(f"--prune and {flag}: what isn't listed would be dropped: leave one of them out")


def _require_prices(job_routes: Sequence[JobRoute]) -> None:
    for job_route in job_routes:
        if job_route.route.price is None:
            route = f"{job_route.route.provider}/{job_route.route.model}"
            raise UserMistake(f"--budget needs a price, and that of {route} isn't known: give it with --price IN/OUT")
