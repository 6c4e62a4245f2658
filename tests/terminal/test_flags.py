"""Command lines as their models make them: what is typed, what it means, and what is said of a mistake."""

import pytest
from pydantic import BaseModel

from tasks import catalogue_command, monitor
from tasks.base.errors import UserMistake
from tasks.base.option import options_of, seconds_in, time_in_words
from tasks.monitoring.monitor_options import MonitorOptions, MonitorSwitches
from tasks.prompting.options import FLOWS, CompareOptions, ExtractOptions, Options
from tasks.terminal.flags import CommandLine, Switches, command_line, flow_options

LINES: dict[str, CommandLine] = {
    **{name: command_line(name, "") for name in FLOWS},
    "monitor": monitor.command_line(""),
    "catalogue": catalogue_command.command_line(""),
}


@pytest.mark.parametrize("flow", FLOWS)
def test_every_option_can_be_given_and_is_explained(flow: str) -> None:
    """But for those that a comparison sets by itself."""
    model = FLOWS[flow]
    named = {option.field for option in options_of(model)}
    assert named == model.model_fields.keys() - ({"runner"} if model is CompareOptions else set())
    for option in flow_options(model):
        assert option.info.description
        assert option.flag.group in model.groups


@pytest.mark.parametrize("flow", FLOWS)
def test_each_flow_has_an_output_of_its_own(flow: str) -> None:
    assert FLOWS[flow].model_fields["output"].default == f"output/{flow}"


@pytest.mark.parametrize("name", LINES)
def test_no_flag_stands_twice(name: str) -> None:
    names = [option.name for option in LINES[name].options]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", LINES)
def test_help_names_every_flag_by_its_heading(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        LINES[name].parse(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert shown.startswith(f"Usage: python -m flows.{name} ")
    for option in LINES[name].options:
        assert f"{option.name} " in shown
        assert f"─ {option.flag.group} ─" in shown


def test_what_is_typed_becomes_options() -> None:
    words = (
        "a b.txt --schema s.json --exclude x --exclude=y/z --rpm 60 --patience 2h --log - --budget=0.5 --hedge --json"
    )
    given = LINES["extract"].parse(words.split())
    assert given.inputs == ["a", "b.txt"]
    expected = ExtractOptions(
        json_schema="s.json", exclude=("x", "y/z"), rpm=60, patience=7200.0, log="-", budget=0.5, hedge=True
    )
    assert given.of(ExtractOptions) == expected
    assert given.of(Switches) == Switches(as_json=True)


def test_what_is_not_typed_is_the_models_own() -> None:
    for name, model in FLOWS.items():
        assert LINES[name].parse(["x"]).of(model) == model()


def test_a_monitor_takes_sizes_and_times() -> None:
    given = LINES["monitor"].parse(["--sizes", "2k,300,2k", "--every", "5m", "--json"])
    assert given.of(MonitorOptions).sizes == (300, 2000)
    assert given.of(MonitorSwitches) == MonitorSwitches(every=300.0, as_json=True)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("summarize", "x --rpmm 3", "Unknown option: --rpmm. Did you mean --rpm?"),
        ("summarize", "x --labels a,b", "Unknown option: --labels"),
        ("compare", "x --provider mistral", "Unknown option: --provider"),
        ("summarize", "x --rpm many", "--rpm"),
        ("summarize", "x --rpm 0", "--rpm 0: input should be greater than 0"),
        ("summarize", "x --rpm", "--rpm requires an argument"),
        ("summarize", "x --budget -1", "--budget -1.0: input should be greater than or equal to 0"),
        ("summarize", "x --patience soon", "--patience soon: this is no time: give it as in 90s, 30m or 2h"),
        ("summarize", "x --strategy guess", '"guess" for --strategy'),
        ("summarize", "x --model", "--model requires an argument"),
        ("summarize", "x --no-pool", "Unknown option: --no-pool"),
        ("summarize", "", "give at least one INPUT"),
        ("monitor", "x", "x"),
        ("monitor", "--sizes 2k,big", "--sizes 2k,big: these are no sizes"),
        ("catalogue", "--subtype chatty", "--subtype chatty"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_flag(name: str, words: str, said: str) -> None:
    models: dict[str, type[BaseModel]] = {"monitor": MonitorOptions, "catalogue": catalogue_command.CatalogueFilters}
    with pytest.raises(UserMistake) as mistake:
        LINES[name].parse(words.split()).of(models.get(name) or FLOWS[name])
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_a_value_that_begins_with_a_bracket_is_no_json() -> None:
    options = LINES["summarize"].parse(["x", "--exclude", '["a"]']).of(Options)
    assert options.exclude == ('["a"]',)


@pytest.mark.parametrize("words", ["90s", "30m", "2h", "1.5m", "45"])
def test_a_time_is_read_as_it_is_told(words: str) -> None:
    seconds = seconds_in(words)
    assert isinstance(seconds, float)
    assert seconds_in(time_in_words(seconds)) == seconds
