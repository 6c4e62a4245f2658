"""Keep the names: each class once, each module once, and none by a word that the glossary replaces."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Words for which the field has a better one (the glossary in CONTRIBUTING.md).
BANNED = {
    "befall": "happen to", "luck": "jitter", "purse": "budget shares", "speaking": "runtime", "sticky": "saved",
    "talk": "conversation", "talker": "conversation builder", "whoever": "a noun",
}  # fmt: skip
# Each format has its reader, page or grid: there the package's name tells them apart.
READERS = "tasks/documents/readers/"
# The options by their older name, for scripts.
SHIMS = {"tasks/jobs/options.py"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def names(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines: classes, functions, and their parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg


def words(name: str) -> list[str]:
    """The words of a name, as in `WorkerBudget` or `worker_budget`."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def test_a_class_has_its_name_alone() -> None:
    found = defaultdict(list)
    for path, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path)
    assert len(found) > 300
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


def test_a_module_has_its_name_alone() -> None:
    found = defaultdict(list)
    for path, _ in modules():
        if not path.startswith(READERS) and not path.endswith("__init__.py") and path not in SHIMS:
            found[Path(path).stem].append(path)
    assert len(found) > 150
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("WorkerBudget", ["worker", "budget"]), ("_HTTPLuck", ["http", "luck"]), ("go_on", ["go", "on"])],
)
def test_a_name_is_parted_into_its_words(name: str, expected: list[str]) -> None:
    assert words(name) == expected


def test_no_name_holds_a_word_that_the_glossary_replaces() -> None:
    found = {
        f"{path}: {name}": BANNED[word]
        for path, tree in modules()
        for name in (Path(path).stem, *names(tree))
        for word in words(name)
        if word in BANNED
    }
    assert found == {}


def test_the_glossary_has_every_word_that_replaces_another() -> None:
    glossary = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [word for word in BANNED if word not in glossary] == []


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "tasks/README.md"])
def test_documents_name_modules_that_exist(document: str) -> None:
    paths = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("t*/**/*.py")}
    named = re.findall(r"`([a-z_/]+\.py)`", (ROOT / document).read_text(encoding="utf-8"))
    assert [name for name in named if not any(path.endswith(name) for path in paths)] == []


def test_the_map_tells_of_every_room_and_of_no_module_that_is_gone() -> None:
    text = (ROOT / "tasks" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_.]+)`", text))
    rooms = {path.parent.name for path in (ROOT / "tasks").glob("*/__init__.py")}
    known = {path.stem for path, _ in ((ROOT / name, tree) for name, tree in modules())}
    known |= {path.name for path in (ROOT / "tasks").rglob("*") if path.is_dir()}
    assert rooms <= named
    assert {name for name in named if not name.endswith(".toml") and name.rpartition(".")[2] not in known} == set()
