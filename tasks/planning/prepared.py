"""A job that is ready to be planned and run, and the identities by which its answers are known again."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.base.settings import Settings
from tasks.documents.document import Document, Documents
from tasks.documents.listing import list_documents, list_sizes
from tasks.documents.sources import identity_of
from tasks.ledger.state import State
from tasks.models.candidates import COMPATIBLE, LOCAL
from tasks.planning.extra_columns import NOTHING, ExtraColumns
from tasks.planning.job_routes import JobRoute
from tasks.prompting.answer_form import Form
from tasks.prompting.options import Options
from tasks.providers.local_model import local_identity
from tasks.results.schemas import CONFIDENCE, TABLES, Schemas


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job ready to be planned and run.

    `job_routes` are tried in order, or all at once with `--pool`; `rivals` would have been
    possible too, and `left_out` says why others weren't. A job over a `sample` lists that
    and nothing else of its inputs.
    """

    flow: str
    inputs: tuple[str, ...]
    options: Options
    settings: Settings
    state: State
    job_routes: tuple[JobRoute, ...]
    local_model: Path | None
    rivals: tuple[JobRoute, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    form: Form | None = None
    carried: ExtraColumns = NOTHING
    sample: tuple[Document, ...] | None = None

    @property
    def fingerprint(self) -> str:
        """The identity of all that decides about an answer, inputs apart."""
        form = [self.form.identity] if self.form else []
        prompts = sorted({astuple(job_route.prompts) for job_route in self.job_routes})
        return _hash([self._answers(), *self.options.values_that_decide(), prompts, *form])

    @property
    def schemas(self) -> Schemas:
        """The schemas of the result tables: in `documents`, joined columns and the fields of the answers too."""
        fields = [*self.carried.joined, *(column.as_field() for column in (self.form.columns if self.form else ()))]
        fields += [CONFIDENCE] if self.options.labels_field else []
        return {**TABLES, "documents": pa.schema([*TABLES["documents"], *fields])} if fields else TABLES

    @property
    def vectors(self) -> str:
        """The identity of all that decides about a text's vector, the text apart."""
        embedding = self.options.embedding
        return _hash([self._answers(), embedding.dimensions if embedding else None])

    @property
    def identity(self) -> str:
        """The identity of the whole job: the same command has the same one."""
        options = self.options
        which: list[Any] = [options.limit, options.text_column, options.id_column, options.retry_failed, options.fresh]
        which += ["join"] if options.join else []
        which += [[document.document_id for document in self.sample]] if self.sample is not None else []
        return _hash([self.flow, [identity_of(name) for name in self.inputs], self.fingerprint, which])

    def documents(self) -> Documents:
        """List the documents anew; raises UserMistake as `list_documents` does."""
        if self.sample is not None:
            return iter(self.sample)
        return list_inputs(self.inputs, self.options, self.carried.wanted)

    def sizes(self) -> Iterator[int]:
        """List the sizes of the documents, in bytes."""
        if self.sample is not None:
            return (document.size for document in self.sample)
        return list_sizes(self.inputs, skip=self.options.folder.path, text_column=self.options.text_column)

    def _answers(self) -> list[Any]:
        """What decides about the answers; if routes are chosen automatically, the model but not where it is served."""
        options = self.options
        asked = [options.context, options.strategy, options.integrity]
        if is_automatic(options) and not {one.provider.name for one in self.job_routes} & {LOCAL, COMPATIBLE}:
            return ["auto", sorted({one.route.model for one in self.job_routes}), options.max_output_tokens, asked]
        # Not the window: a provider's list may tell another one tomorrow.
        routes = [
            [one.provider.name, one.route.id, one.route.upstream, self._endpoint(one), one.route.tokenizer,
             one.route.window.max_answer, dict(one.provider.extras)]
            for one in self.job_routes
        ]  # fmt: skip
        return [routes, options.routing, asked]

    def _endpoint(self, job_route: JobRoute) -> str:
        if job_route.account is not None:
            return job_route.account.endpoint
        return local_identity(self.local_model) if self.local_model else LOCAL


def list_inputs(inputs: Sequence[str], options: Options, columns: Sequence[str] = ()) -> Documents:
    """List the documents of inputs anew, with some of their columns. Raises UserMistake as `list_documents` does."""
    names = {"text_column": options.text_column, "id_column": options.id_column}
    return list_documents(inputs, skip=options.folder.path, columns=columns, **names)


def is_automatic(options: Options) -> bool:
    """Whether the provider is to be chosen."""
    return (options.provider or "auto").lower() == "auto"


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def docmill_version() -> str:
    """Return the installed version, or `0` in a checkout that isn't installed."""
    try:
        return version("docmill")
    except PackageNotFoundError:
        return "0"
