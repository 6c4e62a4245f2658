"""The README's commands are the ones that CI runs, and they stand near its top."""

import re
import shlex
from pathlib import Path

import pytest

from tasks import catalogue_command, monitor
from tasks.models.catalogue import load_catalogue
from tasks.prompting.options import FLOWS
from tasks.terminal.flags import CommandLine, command_line
from tasks.terminal.option_tables import option_tables

ROOT = Path(__file__).parents[1]
LINES = 15


def commands() -> list[str]:
    """Return the one-line commands of the README's shell blocks."""
    return re.findall(r"```sh\n(.*)\n```", (ROOT / "README.md").read_text(encoding="utf-8"))


def test_ci_calls_the_readmes_test_command() -> None:
    assert commands()[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_first_result_stands_within_fifteen_lines() -> None:
    top = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:LINES]
    assert commands()[0] in top
    assert commands()[0].endswith("python -m flows.summarize data/samples")


def test_no_file_of_the_set_up_names_an_index() -> None:
    for name in ("constraints.txt", "pyproject.toml", ".ci/run", "README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "index-url" not in text
        assert " @ " not in text.replace("apipie@", "")


DOCUMENTS = ("README.md", "flows/README.md", "deployments/README.md", "tasks/README.md", "CONTRIBUTING.md")
COMMAND_LINES: dict[str, CommandLine] = {
    **{name: command_line(name, "") for name in FLOWS},
    "monitor": monitor.command_line(""),
    "catalogue": catalogue_command.command_line(""),
}


def flow_commands(document: str) -> list[tuple[str, list[str]]]:
    """Return the flows that a document's shell blocks run, and the words behind each; of loops, none."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    found = re.findall(r"^(?:\S*/)?python -m flows\.(\w+)(.*)$", blocks, re.MULTILINE)
    return [(flow, shlex.split(words, comments=True)) for flow, words in found if "…" not in words]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_links_to_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_every_flow_has_a_command_in_the_readme() -> None:
    assert {flow for flow, _ in flow_commands("README.md")} == set(COMMAND_LINES)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_flags_of_every_command_are_those_that_its_flow_takes(document: str) -> None:
    for flow, words in flow_commands(document):
        COMMAND_LINES[flow].parse(words)


def test_the_tables_of_options_are_those_of_the_code() -> None:
    """`python -m tests.option_tables` writes them anew."""
    assert option_tables() in (ROOT / "flows" / "README.md").read_text(encoding="utf-8")


def test_the_readme_and_the_workers_image_know_every_provider() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    composed = (ROOT / "deployments" / "compose.yaml").read_text(encoding="utf-8")
    for provider in load_catalogue().providers:
        assert f"| `{provider.name}` |" in readme, provider.name
        assert provider.key_variable is None or f"      {provider.key_variable}: " in composed, provider.name
