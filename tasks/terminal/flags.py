"""A command line, made by cyclopts from the models of its options; its mistakes are one line, exit code 2."""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from cyclopts import App, CycloptsError, Group, Parameter
from pydantic import BaseModel, Field, ValidationError

from tasks.base.errors import UserMistake
from tasks.base.option import Flag, Option, options_of
from tasks.prompting.options import ANSWERS, DOCUMENTS, FLOW, FLOWS, LIMITS, RESULTS, ROUTES, WORKERS, Options

# The headings of `--help`, in their order.
COMMAND = "This command"
HEADINGS = (FLOW, ANSWERS, ROUTES, LIMITS, DOCUMENTS, RESULTS, WORKERS, COMMAND)
INPUTS = "file, folder, glob, table, or a URL of one"

Kind = TypeVar("Kind", bound=BaseModel)


class Switches(BaseModel):
    """Options of the command only, which its flow doesn't get."""

    plan: Annotated[bool, Flag(COMMAND)] = Field(default=False, description="print the plan, call nobody")
    as_json: Annotated[bool, Flag(COMMAND, name="json")] = Field(
        default=False, description="the summary (or plan) as one JSON object on stdout"
    )
    no_progress: Annotated[bool, Flag(COMMAND)] = Field(default=False, description="no live display")


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed: the inputs, and the values of the options that were named."""

    inputs: list[str]
    values: Mapping[str, Any]

    def of(self, model: type[Kind]) -> Kind:
        """Return a model of its options. Raises UserMistake naming the flag."""
        names = {option.field: option.name for option in options_of(model)}
        try:
            return model(**{field: value for field, value in self.values.items() if field in names})
        except ValidationError as error:
            first = error.errors()[0]
            words = str(first["msg"]).removeprefix("Value error, ")
            flag = names[str(first["loc"][0])]
            raise UserMistake(f"{flag} {first['input']}: {words[:1].lower()}{words[1:]}") from None


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line of a flow: its options, and inputs where it takes any."""

    name: str
    about: str
    options: tuple[Option, ...]
    takes_inputs: bool = True

    def parse(self, words: Sequence[str] | None = None) -> Given:
        """Return what was typed (the process's own arguments). Raises UserMistake; ends the process after `--help`."""
        app = self._app()
        try:
            command, bound, _ = app.parse_args(
                list(sys.argv[1:] if words is None else words), exit_on_error=False, print_error=False
            )
        except CycloptsError as error:
            message = " ".join(str(error).split()).rstrip(".")
            raise UserMistake(f"{message} (python -m flows.{self.name} --help lists them all)") from None
        if command is not app.default_command:
            command(*bound.args, **bound.kwargs)
            sys.exit(0)
        if self.takes_inputs and not bound.args:
            raise UserMistake(f"give at least one INPUT: a {INPUTS} (python -m flows.{self.name} --help)")
        return Given(list(bound.args), bound.kwargs)

    def _app(self) -> App:
        app = App(
            name=f"python -m flows.{self.name}",
            usage=f"Usage: python -m flows.{self.name} {'INPUT… ' if self.takes_inputs else ''}[options]",
            help=self.about,
            help_format="plaintext",
            version_flags=[],
            group_commands=Group("Help", sort_key=len(HEADINGS) + 1),
        )

        def command(*inputs: str, **named: Any) -> None:
            """Take what the signature below says."""

        command.__annotations__.clear()
        command.__signature__ = inspect.Signature(list(self._parameters()))  # type: ignore[attr-defined]
        app.default(command)
        return app

    def _parameters(self) -> Iterator[inspect.Parameter]:
        if self.takes_inputs:
            given = Annotated[str, Parameter(name="INPUT", help=INPUTS)]
            yield inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL, annotation=given)
        for option in self.options:
            yield inspect.Parameter(
                option.field,
                inspect.Parameter.KEYWORD_ONLY,
                default=(option.default or None) if option.flag.is_text else option.info.default,
                annotation=Annotated[_typed(option), _parameter(option)],
            )


def flow_options(model: type[Options]) -> Iterator[Option]:
    """Yield the options that a flow over documents has."""
    return (one for one in options_of(model) if one.flag.group in model.groups and one.field not in model.without)


def command_line(name: str, about: str) -> CommandLine:
    """Return the command line of a flow over documents."""
    return CommandLine(name, about, (*flow_options(FLOWS[name]), *options_of(Switches)))


def _parameter(option: Option) -> Parameter:
    default = option.default
    return Parameter(
        name=option.name,
        group=Group(option.flag.group, sort_key=HEADINGS.index(option.flag.group)),
        help=option.info.description,
        metavar=option.flag.metavar,
        show_default=(lambda _: default) if default else False,
        negative=(),
        allow_leading_hyphen=option.flag.may_be_dash,
        json_list=False,
    )


def _typed(option: Option) -> Any:
    """Return the type by which cyclopts parses a value before the model validates it."""
    return str | None if option.flag.is_text else option.info.annotation
