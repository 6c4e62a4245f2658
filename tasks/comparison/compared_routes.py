"""The routes of a comparison, each prepared as a job of its own over the sample."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from tasks.base.errors import UserMistake
from tasks.base.settings import Settings
from tasks.comparison.comparison_records import Terms
from tasks.comparison.document_sample import Sample, take_sample
from tasks.comparison.references import is_column, references, without
from tasks.documents.document import Documents
from tasks.documents.listing import list_documents
from tasks.ledger.state import State
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepare import prepare
from tasks.planning.prepared import Prepared
from tasks.planning.state_location import state_of
from tasks.prompting.options import CompareOptions, ExtractOptions, Options
from tasks.providers.effective_limits import EffectiveLimits

PLAIN = re.compile(r"[\w.@+-]+--[\w.@+-]+")
# The options that choose routes, and others that the job of a single route doesn't get.
CHOICE = {"exclude", "max_price", "min_context"}
OWN = {"limit", "fallback", "pool", "retry_failed", "prune", "join"}


@dataclass(frozen=True, slots=True)
class Compares:
    """A comparison ready to be planned and run: `routes` are jobs by label, `left_out` says why others aren't."""

    options: CompareOptions
    state: State
    inputs: tuple[str, ...]
    routes: Mapping[str, Prepared]
    sample: Sample
    references: Mapping[str, str]
    left_out: Mapping[str, str]

    @property
    def flow(self) -> str:
        """The flow whose jobs are compared."""
        return flow_of(self.options)

    @property
    def identity(self) -> str:
        """The identity of the whole comparison: the same command has the same one, as long as the sample is."""
        return sha256("".join(sorted(one.identity for one in self.routes.values())).encode()).hexdigest()

    def documents(self, columns: Sequence[str] = ()) -> Documents:
        """List the whole source anew. Raises UserMistake as `list_documents` does."""
        return listed(self.inputs, self.options, columns)


def flow_of(options: CompareOptions) -> str:
    """Return the flow whose jobs are compared: with a schema `extract`."""
    return "extract" if options.json_schema else "summarize"


def listed(inputs: Sequence[str], options: Options, columns: Sequence[str] = ()) -> Documents:
    """List the documents of the whole source, or the first `--limit` of them."""
    names = {"text_column": options.text_column, "id_column": options.id_column}
    found = list_documents(inputs, skip=options.folder.path, columns=columns, **names)
    return found if options.limit is None else (one for one, _ in zip(found, range(options.limit), strict=False))


def prepare_comparison(inputs: Sequence[str], options: CompareOptions, settings: Settings | None = None) -> Compares:
    """Choose the routes and the sample, and check everything that can be checked without paying.

    Raises UserMistake, naming the thing and the fix.
    """
    settings = settings or Settings.read()
    prices = _prices(options.prices)
    labels, left_out = _labels(inputs, options, settings)
    _require_named(prices, labels)
    jobs: dict[str, Prepared] = {}
    for label in labels:
        try:
            jobs |= _job(inputs, options, label, prices, settings)
        except UserMistake as error:
            if options.routes:
                raise
            left_out[label] = str(error)
    if not jobs:
        whys = "; ".join(f"{label}: {why}" for label, why in list(left_out.items())[:3])
        raise UserMistake(f"no route is left to compare: {whys}")
    carried = next(iter(jobs.values())).carried.wanted
    sample, right = _sample(inputs, options, carried)
    jobs = {label: replace(job, sample=sample.documents) for label, job in jobs.items()}
    return Compares(options, state_of(options, settings), tuple(inputs), jobs, sample, right, left_out)


def _labels(inputs: Sequence[str], options: CompareOptions, settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Return the routes that are named, or all that fit, with why others don't."""
    if options.routes:
        return list(dict.fromkeys(options.routes)), {}
    found = prepare(flow_of(options), inputs, _as_job(options, OWN), settings)
    return [job_route.label for job_route in (*found.job_routes, *found.rivals)], dict(found.left_out)


def _as_job(options: CompareOptions, without: set[str], **changes: str | None) -> Options:
    """Return the options of a job: those of the comparison, some of them left out and some changed."""
    kind = ExtractOptions if options.json_schema else Options
    values = options.model_dump(include=kind.model_fields.keys() - without)
    return kind(**values | changes)


def _job(
    inputs: Sequence[str], options: CompareOptions, label: str, prices: Mapping[str, str], settings: Settings
) -> dict[str, Prepared]:
    """Return the job of a route, by the label it goes by."""
    provider, slash, model = label.partition("/")
    if not slash or not model:
        raise UserMistake(f"--routes {label}: give PROVIDER/MODEL, as in openrouter/mistral-nemo")
    place = f"{options.output.rstrip('/')}/routes/{folder_name(label)}"
    price = prices.get(label, options.price)
    asked = _as_job(options, OWN | CHOICE, provider=provider, model=model, output=place, price=price)
    try:
        job = prepare(flow_of(options), inputs, asked, settings)
    except UserMistake as error:
        raise UserMistake(str(error).replace("--price IN/OUT", f"--price {label}=IN/OUT")) from error
    return {job.job_routes[0].label: job}


def folder_name(label: str) -> str:
    """Return the name of a route's folder, which no other's has."""
    name = label.replace("/", "--")
    if PLAIN.fullmatch(name) and name.count("--") == 1:
        return name
    return f"{re.sub(r'[^0-9A-Za-z_.@+-]+', '-', name)}-{sha256(label.encode()).hexdigest()[:8]}"


def _sample(inputs: Sequence[str], options: CompareOptions, carried: Sequence[str]) -> tuple[Sample, Mapping[str, str]]:
    """Return the sample, with the columns that its prompts need, and the references of its documents."""
    reference = options.reference
    column = reference if is_column(reference, options.text_column) else None
    columns = [*carried, *([column] if column and column not in carried and "*" not in carried else [])]
    sample = take_sample(lambda: listed(inputs, options, columns), options.sample)
    right = references(reference, sample, options.text_column, options.id_column) if reference else {}
    if column and columns != list(carried):
        sample = replace(sample, documents=tuple(without(column, one) for one in sample.documents))
    return sample, right


def _prices(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        label, sign, price = text.rpartition("=")
        if not sign or "/" not in label:
            raise UserMistake(f"--price {text}: give PROVIDER/MODEL=IN/OUT, as in openai-compatible/my-model=0.2/0.6")
        found[label] = price
    return found


def _require_named(prices: Mapping[str, str], labels: Sequence[str]) -> None:
    """Refuse a price for a route that isn't compared: misspelt, it would leave the intended route without one."""
    for label in prices:
        if label not in labels:
            raise UserMistake(f"--price {label}: no route is called so: {', '.join(labels)}")


def terms_of(job_route: JobRoute, options: Options) -> Terms:
    """Return a route's prices and limits."""
    route, limits = job_route.route, EffectiveLimits.of(options, job_route.provider)
    return Terms(
        route.label,
        route.provider_name,
        route.model,
        route.window.context,
        route.price.input if route.price else None,
        route.price.output if route.price else None,
        limits.concurrency,
        limits.a_minute("requests"),
        limits.a_minute("tokens"),
    )
