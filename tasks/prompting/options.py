"""What a job is asked to do: the options of the command line and of the flows, each stated once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from tasks.base.errors import UserMistake
from tasks.base.option import Flag, Seconds, options_of
from tasks.ledger.address import require_no_password
from tasks.prompting.labels import labels_schema, listed, read_labels
from tasks.prompting.schema import Read, read_schema
from tasks.results.location import Folder, folder_at, named_place

StrategyName = Literal["auto", "stuff", "map-reduce", "refine", "concatenate"]
Subtype = Literal["chat", "code", "language"]
Runner = Literal["threads", "processes", "dask", "ray"]
Routing = Literal["price", "perf", "perf-avg"]
MergeRule = Literal["first", "list", "vote", "reduce"]
# Files, folders, globs, tables, or URLs of them.
Inputs = Annotated[list[str], Field(min_length=1)]

RESULTS, ROUTES, ANSWERS, FLOW, LIMITS, WORKERS, DOCUMENTS = (
    "Results", "Routes", "Answers", "This flow", "Prices and limits", "Workers", "Documents",
)  # fmt: skip

# A Path would collapse the two slashes of a URL.
Place = Annotated[str, BeforeValidator(lambda place: named_place(os.fspath(place)))]
Output = Annotated[Place, Flag(RESULTS, "PLACE", is_text=True)]
Strategy = Annotated[StrategyName, Flag(ANSWERS, decides="job")]
AnswerTokens = Annotated[int, Field(gt=0), Flag(ANSWERS, "N", decides="job")]
Patience = Annotated[Seconds, Field(ge=0), Flag(LIMITS, "TIME", is_text=True)]
OUTPUT = "the result set: a folder, or a URL as s3://bucket/folder"
STRATEGY = "how a long document becomes one answer"


class Options(BaseModel):
    """Everything but the inputs. Keys and base URLs are never in here."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    # The headings of the flags that a flow has, and the options among them that it lacks.
    groups: ClassVar[frozenset[str]] = frozenset((FLOW, RESULTS, ROUTES, ANSWERS, LIMITS, WORKERS, DOCUMENTS))
    without: ClassVar[frozenset[str]] = frozenset()

    output: Output = Field(default="output/summarize", description=OUTPUT)
    state: Annotated[str | None, Flag(RESULTS, "PLACE")] = Field(
        default=None,
        description="where the ledger lies: a folder, or a postgresql:// URL without its password (beside the results)",
    )
    log: Annotated[str | None, Flag(RESULTS, "FILE", may_be_dash=True)] = Field(
        default=None, description="file to which events are added as JSON lines, or - for stderr"
    )
    wait: Annotated[Seconds, Field(ge=0), Flag(RESULTS, "TIME", is_text=True)] = Field(
        default=0.0, description="to wait for a result set that another run holds: 90s, 30m, 2h"
    )
    model: Annotated[str | None, Flag(ROUTES, decides="job")] = Field(
        default=None, description="a catalogue name or the provider's own id"
    )
    provider: Annotated[str | None, Flag(ROUTES, decides="job")] = Field(
        default=None, description="a provider, apipie@PROVIDER, or auto (all with a key)"
    )
    routing: Annotated[Routing, Flag(ROUTES, decides="job")] = Field(default="price", description="how auto chooses")
    max_price: Annotated[str | None, Flag(ROUTES, "IN/OUT")] = Field(
        default=None, description="auto takes no dearer route (USD per million tokens)"
    )
    min_context: Annotated[int | None, Field(gt=0), Flag(ROUTES, "N")] = Field(
        default=None, description="tokens: auto takes no route with a smaller window"
    )
    exclude: Annotated[tuple[str, ...], Flag(ROUTES, "P/M")] = Field(
        default=(), description="a provider, a model or PROVIDER/MODEL that auto leaves out; repeatable"
    )
    pool: Annotated[bool, Flag(ROUTES)] = Field(
        default=False, description="use all routes that fit at once, with the limits of all of them"
    )
    fallback: Annotated[tuple[str, ...], Flag(ROUTES, "P/M", decides="job")] = Field(
        default=(), description="PROVIDER/MODEL to go on at when a route fails; repeatable, in order"
    )
    context: Annotated[int | None, Field(gt=0), Flag(ROUTES, "N", decides="job")] = Field(
        default=None, description="context window in tokens, where nobody tells it"
    )
    subtype: Annotated[Subtype, Flag(ANSWERS, decides="job")] = Field(
        default="chat", description="kind of model that auto takes where none is named"
    )
    integrity: Annotated[Literal[12, 13] | None, Flag(ANSWERS, decides="job")] = Field(
        default=None, description="APIpie asks the model 2 or 3 times and votes"
    )
    strategy: Strategy = Field(default="auto", description=STRATEGY)
    prompt: Annotated[Path | None, Flag(ANSWERS, "FILE", decides="prompt")] = Field(
        default=None, description="prompt template with {text} in it"
    )
    max_output_tokens: AnswerTokens = Field(default=512, description="most tokens of an answer, per call")
    budget: Annotated[float | None, Field(ge=0), Flag(LIMITS, "USD")] = Field(
        default=None, description="never spend more: pause, resumably"
    )
    price: Annotated[str | None, Flag(LIMITS, "IN/OUT")] = Field(
        default=None, description="USD per million tokens, where the price isn't known"
    )
    rpm: Annotated[int | None, Field(gt=0), Flag(LIMITS, "N")] = Field(default=None, description="requests a minute")
    tpm: Annotated[int | None, Field(gt=0), Flag(LIMITS, "N")] = Field(default=None, description="tokens a minute")
    concurrency: Annotated[int | None, Field(gt=0), Flag(LIMITS, "N")] = Field(
        default=None, description="calls in flight"
    )
    patience: Patience = Field(default=1800.0, description="to wait for routes that are down: 90s, 30m, 2h")
    hedge: Annotated[bool, Flag(LIMITS)] = Field(
        default=False, description="ask the slowest few per cent a second time, and pay for both"
    )
    share_limits: Annotated[str | None, Flag(LIMITS, "PLACE")] = Field(
        default=None,
        description="share the limits with the account's other jobs: here (on this machine), a folder, or a "
        "postgresql:// URL without its password",
    )
    runner: Annotated[Runner, Flag(WORKERS)] = Field(
        default="threads",
        description="who works: threads of this process, or worker processes of this machine, of Dask or of Ray",
    )
    runner_address: Annotated[str | None, Flag(WORKERS, "ADDRESS")] = Field(
        default=None, description="the Dask scheduler's or the Ray cluster's address (one is started here)"
    )
    workers: Annotated[int | None, Field(gt=0), Flag(WORKERS, "N")] = Field(
        default=None, description="how many worker processes (one a processor, or a worker of the cluster)"
    )
    limit: Annotated[int | None, Field(gt=0), Flag(DOCUMENTS, "N")] = Field(
        default=None, description="only the first N documents"
    )
    text_column: Annotated[str | None, Flag(DOCUMENTS, "NAME")] = Field(
        default=None, description="column of a table that holds the text"
    )
    id_column: Annotated[str | None, Flag(DOCUMENTS, "NAME")] = Field(
        default=None, description="column of a table that holds the document's id"
    )
    join: Annotated[bool, Flag(DOCUMENTS)] = Field(
        default=False, description="the table's other columns stand beside the answer"
    )
    prune: Annotated[bool, Flag(DOCUMENTS)] = Field(
        default=False, description="drop the documents that have gone from the inputs"
    )
    retry_failed: Annotated[bool, Flag(DOCUMENTS)] = Field(default=False, description="only what failed before")
    fresh: Annotated[bool, Flag(DOCUMENTS)] = Field(
        default=False, description="ignore the answers and results of earlier runs"
    )

    @classmethod
    def of_answers(cls) -> frozenset[str]:
        """Return the options that decide about an answer: if one changes, documents are asked about again.

        `routing` is one as it may choose an aggregator's provider, `subtype` as it may choose the prompts or the model.
        """
        return frozenset(one.field for one in options_of(cls) if one.flag.decides and one.flag.group in cls.groups)

    def values_that_decide(self) -> list[Any]:
        """Return the values that stand in the identity of the answers by themselves, in their order."""
        return [getattr(self, one.field) for one in options_of(type(self)) if one.flag.decides == "value"]

    @property
    def folder(self) -> Folder:
        """The place of the result set. Raises UserMistake where its package isn't installed."""
        return folder_at(self.output)

    @field_validator("state")
    @classmethod
    def _holds_no_secret(cls, state: str | None) -> str | None:
        require_no_password(state or "")
        return state

    @field_validator("share_limits")
    @classmethod
    def _shares_no_secret(cls, place: str | None) -> str | None:
        require_no_password(place or "", "--share-limits", "DOCMILL_LIMITS")
        return place

    @property
    def prompt_words(self) -> Mapping[str, str]:
        """The values for the fields of the shipped prompts, apart from {text} and the like."""
        return {}

    @property
    def embedding(self) -> "EmbedOptions | None":
        """How texts are embedded, where vectors are asked for; None where completions are."""
        return None

    @property
    def merge_rule(self) -> str:
        """How typed answers over a long document's chunks become one."""
        return "list"

    @property
    def labels_field(self) -> str | None:
        """The field of an answer that holds its label, or a list of them, where texts are classified."""
        return None

    def answer_schema(self) -> Read | None:
        """Return the schema that answers follow, if any. Raises UserMistake for one that can't be read."""
        return None

    def check(self) -> None:
        """Raise UserMistake where options that are right one by one don't go together."""

    def spec(self) -> dict[str, Any]:
        """Return the options as job.json keeps them."""
        return self.model_dump(mode="json")


class ExtractOptions(Options):
    """The additional options of `extract`."""

    output: Output = Field(default="output/extract", description=OUTPUT)
    json_schema: Annotated[str | None, Flag(FLOW, "SCHEMA", "schema", decides="form")] = Field(
        default=None, description="a JSON Schema file, or a pydantic model as package.module:Model"
    )
    merge: Annotated[MergeRule, Flag(FLOW, decides="form")] = Field(
        default="list", description="how the answers over a long document's chunks become one"
    )

    @property
    def merge_rule(self) -> str:
        """The rule that `--merge` names."""
        return self.merge

    def answer_schema(self) -> Read | None:
        """Return what `--schema` names."""
        return None if self.json_schema is None else read_schema(self.json_schema)

    def check(self) -> None:
        """Raise UserMistake where there is nothing to extract by, or typed answers would be joined as texts."""
        if self.json_schema is None and self.prompt is None:
            raise UserMistake("extract needs --schema (a JSON Schema or a pydantic model), --prompt FILE, or both")
        if self.json_schema is not None:
            _refuse_joined_texts(self.strategy, "with --schema, --merge says how answers become one")


class ClassifyOptions(Options):
    """What `classify` takes besides: each document gets one of the labels, or several."""

    output: Output = Field(default="output/classify", description=OUTPUT)
    labels: Annotated[str | None, Flag(FLOW, "A,B,C", decides="form")] = Field(
        default=None, description="the labels, or a file with a `label: description` a line"
    )
    several: Annotated[bool, Flag(FLOW, decides="form")] = Field(
        default=False, description="a document may have several labels, or none"
    )

    @property
    def merge_rule(self) -> str:
        """The chunks of a long document vote."""
        return "majority" if self.several else "vote"

    @property
    def prompt_words(self) -> Mapping[str, str]:
        """The labels, in the shipped prompts."""
        wanted = "every one that fits" if self.several else "the one that fits best"
        return {"labels": listed(read_labels(self.labels or "")), "wanted": wanted}

    @property
    def labels_field(self) -> str:
        """The field's name, which depends on `several`."""
        return "labels" if self.several else "label"

    def answer_schema(self) -> Read | None:
        """Return the schema that allows the labels and nothing else."""
        return Read(labels_schema(read_labels(self.labels or ""), several=self.several))

    def check(self) -> None:
        """Raise UserMistake where there are no labels, or answers would be joined as texts."""
        if self.labels is None:
            raise UserMistake("classify needs --labels A,B,C, or a file with a `label: description` a line")
        _refuse_joined_texts(self.strategy, "the chunks of a long document vote")


class TransformOptions(Options):
    """What `transform` takes besides: each part of a text is written anew in its place."""

    output: Output = Field(default="output/transform", description=OUTPUT)
    to: Annotated[str | None, Field(min_length=1), Flag(FLOW, "LANGUAGE", decides="prompt")] = Field(
        default=None, description="language to translate into; for anything else give --prompt"
    )
    strategy: Strategy = Field(default="concatenate", description=STRATEGY)
    max_output_tokens: AnswerTokens = Field(default=2048, description="most tokens of an answer: chunks are shorter")

    @property
    def prompt_words(self) -> Mapping[str, str]:
        """The language, in the shipped prompts."""
        return {"language": self.to} if self.to else {}

    def check(self) -> None:
        """Raise UserMistake unless exactly one of `--to` and `--prompt` says what to do with the texts."""
        if (self.to is None) == (self.prompt is None):
            raise UserMistake("transform needs --to LANGUAGE to translate, or --prompt FILE for anything else")


class EmbedOptions(Options):
    """The additional options of `embed`."""

    groups = Options.groups - {ANSWERS}

    output: Output = Field(default="output/embed", description=OUTPUT)
    chunk_tokens: Annotated[int, Field(gt=0), Flag(FLOW, "N", decides="value")] = Field(
        default=512, description="most tokens of a chunk"
    )
    overlap: Annotated[int, Field(ge=0), Flag(FLOW, "N", decides="value")] = Field(
        default=0, description="tokens that a chunk repeats of the one before"
    )
    inputs_per_request: Annotated[int | None, Field(gt=0), Flag(FLOW, "N")] = Field(
        default=None, description="texts a request (the provider's limit)"
    )
    dimensions: Annotated[int | None, Field(gt=0), Flag(FLOW, "N", decides="value")] = Field(
        default=None, description="of the vectors, where the model allows a choice"
    )

    @property
    def embedding(self) -> "EmbedOptions":
        """The options themselves."""
        return self


def _refuse_joined_texts(strategy: StrategyName, otherwise: str) -> None:
    if strategy == "concatenate":
        raise UserMistake(f"--strategy concatenate joins texts: {otherwise}")


class CompareOptions(ExtractOptions):
    """What `compare` takes besides: each route is a job of its own over one sample."""

    groups = Options.groups - {WORKERS}
    without = frozenset((
        "provider", "routing", "pool", "fallback", "price", "hedge", "join", "prune", "retry_failed",
    ))  # fmt: skip

    output: Output = Field(default="output/compare", description=OUTPUT)
    runner: Literal["threads"] = Field(default="threads", description="a comparison runs in one process")
    routes: Annotated[tuple[str, ...], Flag(FLOW, "P/M")] = Field(
        default=(), description="PROVIDER/MODEL to compare; repeatable (all with a key that fit)"
    )
    sample: Annotated[int, Field(gt=0), Flag(FLOW, "N")] = Field(
        default=10, description="documents that each route is asked about, small and large ones"
    )
    reference: Annotated[str | None, Flag(FLOW, "WHAT")] = Field(
        default=None, description="file, folder or column of the table with the answers that are held to be right"
    )
    prices: Annotated[tuple[str, ...], Flag(LIMITS, "P/M=IN/OUT", "price")] = Field(
        default=(), description="USD per million tokens, where a price isn't known; repeatable"
    )
    patience: Patience = Field(default=60.0, description="to wait for a route that is down: 90s, 30m, 2h")

    def check(self) -> None:
        """Do nothing: without a schema, texts are summarised."""


# The options of the flows over documents, by the flows' names.
FLOWS: Mapping[str, type[Options]] = {
    "summarize": Options, "extract": ExtractOptions, "classify": ClassifyOptions, "transform": TransformOptions,
    "embed": EmbedOptions, "compare": CompareOptions,
}  # fmt: skip
