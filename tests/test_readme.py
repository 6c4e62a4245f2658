"""The README's commands are the ones that CI runs, and they stand near its top."""

import re
from pathlib import Path

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
