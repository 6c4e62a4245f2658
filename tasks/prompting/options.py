"""What a job is asked to do: the options of the command line and of the flows."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from tasks.base.errors import UserMistake
from tasks.ledger.address import require_no_password
from tasks.prompting.labels import labels_schema, listed, read_labels
from tasks.prompting.schema import Read, read_schema
from tasks.results.location import Folder, folder_at, named_place

StrategyName = Literal["auto", "stuff", "map-reduce", "refine", "concatenate"]
Subtype = Literal["chat", "code", "language"]
Runner = Literal["threads", "processes", "dask", "ray"]
Routing = Literal["price", "perf", "perf-avg"]
MergeRule = Literal["first", "list", "vote", "reduce"]
PATIENCE_SECONDS = 1800.0
# A Path would take one of a URL's slashes.
Place = Annotated[str, BeforeValidator(lambda place: named_place(os.fspath(place)))]
PLACE = "folder or URL of the result set"
# Files, folders, globs, tables, or URLs of them.
Inputs = Annotated[list[str], Field(min_length=1)]


class Options(BaseModel):
    """Everything but the inputs. Keys and base URLs are never in here."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    # Which groups of flags a flow has besides those of every flow (terminal/flags.py).
    flag_groups: ClassVar[tuple[str, ...]] = ("completions",)
    # The options that decide about an answer: with another value of one of them, a document is asked about anew.
    # (`routing` where it chooses an aggregator's provider, `subtype` where it chooses the prompts or the model.)
    of_answers: ClassVar[frozenset[str]] = frozenset((
        "model", "provider", "routing", "subtype", "integrity", "strategy", "prompt", "max_output_tokens", "context",
        "fallback",
    ))  # fmt: skip

    output: Place = Field(default="output/summarize", description=PLACE)
    model: str | None = Field(default=None, description="a catalogue name or the provider's own id")
    provider: str | None = Field(default=None, description="a provider, apipie@PROVIDER, or auto")
    routing: Routing = Field(default="price", description="how a provider is chosen automatically")
    subtype: Subtype = Field(default="chat", description="kind of model that auto takes where none is named")
    max_price: str | None = Field(
        default=None, description="IN/OUT, USD per million tokens: auto takes no dearer route"
    )
    min_context: int | None = Field(default=None, gt=0, description="tokens: auto takes no route with a smaller window")
    integrity: Literal[12, 13] | None = Field(default=None, description="APIpie asks the model 2 or 3 times and votes")
    exclude: tuple[str, ...] = Field(default=(), description="providers, models or PROVIDER/MODEL that auto leaves out")
    pool: bool = Field(default=False, description="use all routes that fit at once, with the limits of all of them")
    fallback: tuple[str, ...] = Field(default=(), description="PROVIDER/MODEL to go on at when a route fails, in order")
    strategy: StrategyName = Field(default="auto", description="how a long document becomes one answer")
    prompt: Path | None = Field(default=None, description="prompt template with {text} in it")
    max_output_tokens: int = Field(default=512, gt=0, description="most tokens of an answer, per call")
    context: int | None = Field(default=None, gt=0, description="context window in tokens, where nobody tells it")
    budget: float | None = Field(default=None, ge=0, description="USD never to be exceeded")
    price: str | None = Field(default=None, description="IN/OUT, USD per million tokens, where it isn't known")
    rpm: int | None = Field(default=None, gt=0, description="requests a minute")
    tpm: int | None = Field(default=None, gt=0, description="tokens a minute")
    concurrency: int | None = Field(default=None, gt=0, description="calls in flight")
    patience: float = Field(default=PATIENCE_SECONDS, ge=0, description="seconds to wait for a route that is down")
    hedge: bool = Field(default=False, description="ask the slowest few per cent a second time")
    limit: int | None = Field(default=None, gt=0, description="only the first N documents")
    text_column: str | None = Field(default=None, description="column of a table that holds the text")
    id_column: str | None = Field(default=None, description="column of a table that holds the document's id")
    retry_failed: bool = Field(default=False, description="only the documents that failed before")
    fresh: bool = Field(default=False, description="ignore the answers and results of earlier runs")
    state: str | None = Field(
        default=None, description="where the ledger lies: a folder, or a postgresql:// URL without its password"
    )
    log: str | None = Field(default=None, description="file to which events are added as JSON lines, or - for stderr")
    wait: float = Field(default=0.0, ge=0, description="seconds to wait for a result set that another run holds")
    share_limits: str | None = Field(
        default=None,
        description="share the limits with the account's other jobs: here (on this machine), a folder, or a "
        "postgresql:// URL without its password",
    )
    runner: Runner = Field(
        default="threads", description="threads of this process, or worker processes: of this machine, Dask or Ray"
    )
    runner_address: str | None = Field(default=None, description="the Dask scheduler's or the Ray cluster's address")
    workers: int | None = Field(default=None, gt=0, description="how many worker processes (one a processor)")
    join: bool = Field(default=False, description="the table's other columns stand beside the answer")
    prune: bool = Field(default=False, description="drop the documents that have gone from the inputs")

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
        """What stands in the shipped prompts in place of their fields, {text} and the like apart."""
        return {}

    @property
    def embedding(self) -> "EmbedOptions | None":
        """How texts are embedded, where vectors are asked for; None where completions are."""
        return None

    @property
    def merge_rule(self) -> str:
        """How typed answers over a long document's chunks become one."""
        return "list"

    def answer_schema(self) -> Read | None:
        """Return the schema that answers follow, if any. Raises UserMistake for one that can't be read."""
        return None

    def check(self) -> None:
        """Raise UserMistake where options that are right one by one don't go together."""

    def spec(self) -> dict[str, Any]:
        """Return the options as job.json keeps them."""
        return self.model_dump(mode="json")


class ExtractOptions(Options):
    """What `extract` takes besides."""

    flag_groups = ("completions", "extraction")
    of_answers = Options.of_answers | {"json_schema", "merge"}

    output: Place = Field(default="output/extract", description=PLACE)
    json_schema: str | None = Field(
        default=None, description="a JSON Schema file, or a pydantic model as package.module:Model"
    )
    merge: MergeRule = Field(default="list", description="how the answers over a long document's chunks become one")

    @property
    def merge_rule(self) -> str:
        """The one that is named."""
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

    flag_groups = ("completions", "classification")
    of_answers = Options.of_answers | {"labels", "several"}

    output: Place = Field(default="output/classify", description=PLACE)
    labels: str | None = Field(default=None, description="labels with commas between them, or a file of them")
    several: bool = Field(default=False, description="a document may have several labels, or none")

    @property
    def merge_rule(self) -> str:
        """The chunks of a long document vote."""
        return "majority" if self.several else "vote"

    @property
    def prompt_words(self) -> Mapping[str, str]:
        """The labels, in the shipped prompts."""
        wanted = "every one that fits" if self.several else "the one that fits best"
        return {"labels": listed(read_labels(self.labels or "")), "wanted": wanted}

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

    flag_groups = ("completions", "transformation")
    of_answers = Options.of_answers | {"to"}

    output: Place = Field(default="output/transform", description=PLACE)
    to: str | None = Field(default=None, min_length=1, description="language to translate into")
    strategy: StrategyName = Field(default="concatenate", description="how a long document becomes one answer")
    max_output_tokens: int = Field(default=2048, gt=0, description="most tokens of an answer: chunks are shorter")

    @property
    def prompt_words(self) -> Mapping[str, str]:
        """The language, in the shipped prompts."""
        return {"language": self.to} if self.to else {}

    def check(self) -> None:
        """Raise UserMistake where it isn't said what to make of the texts, or said twice."""
        if (self.to is None) == (self.prompt is None):
            raise UserMistake("transform needs --to LANGUAGE to translate, or --prompt FILE for anything else")


class EmbedOptions(Options):
    """What `embed` takes besides."""

    flag_groups = ("embedding",)
    of_answers = frozenset(
        ("model", "provider", "routing", "fallback", "context", "chunk_tokens", "overlap", "dimensions")
    )

    output: Place = Field(default="output/embed", description=PLACE)
    chunk_tokens: int = Field(default=512, gt=0, description="most tokens of a chunk")
    overlap: int = Field(default=0, ge=0, description="tokens that a chunk repeats of the one before")
    inputs_per_request: int | None = Field(default=None, gt=0, description="texts a request, over the provider's limit")
    dimensions: int | None = Field(default=None, gt=0, description="of the vectors, where the model allows a choice")

    @property
    def embedding(self) -> "EmbedOptions":
        """These."""
        return self


def _refuse_joined_texts(strategy: StrategyName, otherwise: str) -> None:
    if strategy == "concatenate":
        raise UserMistake(f"--strategy concatenate joins texts: {otherwise}")


class CompareOptions(ExtractOptions):
    """What `compare` takes besides: each route is a job of its own over one sample."""

    output: Place = Field(default="output/compare", description=PLACE)
    runner: Literal["threads"] = Field(default="threads", description="a comparison runs in one process")
    routes: tuple[str, ...] = Field(default=(), description="PROVIDER/MODEL to compare; none: all with a key that fit")
    sample: int = Field(default=10, gt=0, description="documents that each route is asked about, small and large ones")
    reference: str | None = Field(
        default=None, description="file, folder or column of the table with the answers that are held to be right"
    )
    prices: tuple[str, ...] = Field(
        default=(), description="PROVIDER/MODEL=IN/OUT, USD per million tokens, where a price isn't known"
    )
    patience: float = Field(default=60.0, ge=0, description="seconds to wait for a route that is down")

    def check(self) -> None:
        """Nothing: without a schema, texts are summarised."""
