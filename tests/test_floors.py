"""Keep the floors: what may import what (the map is tasks/README.md)."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# As data flows: a room imports only rooms before it.
ROOMS = (
    "base", "events", "documents", "chunking", "models", "providers", "dispatch", "ledger", "results", "prompting",
    "calls", "strategies", "planning", "jobs", "embeddings", "running", "workers", "comparison", "monitoring", "pages",
    "terminal",
)  # fmt: skip
SETTINGS = "tasks/base/settings.py"  # the type of a transport
CLIENT = "tasks/dispatch/client.py"
TRANSPORT = "tasks/dispatch/transport.py"


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """The full names that a module imports, wherever in it; a relative import begins with its dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def strays(room: str, names: Iterator[str]) -> list[str]:
    """The imports of our own that a module of this room may not have."""
    allowed = ROOMS[: ROOMS.index(room) + 1]
    ours = (name for name in names if name.partition(".")[0] in {"", "tasks", "flows", "tests", "data", "prefect"})
    return [name for name in ours if name.split(".")[0] != "tasks" or name.split(".")[1] not in allowed]


def test_the_rooms_are_those_of_the_map() -> None:
    assert {path.parent.name for path in (ROOT / "tasks").glob("*/__init__.py")} == set(ROOMS)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import tasks.base.errors\nfrom tasks.chunking.splitter import split, Chunk\nimport re", []),
        ("from tasks.models.candidates import Route", ["tasks.models.candidates.Route"]),
        ("def f():\n    import tasks.jobs.job", ["tasks.jobs.job"]),
        ("from tasks import dispatch", ["tasks.dispatch"]),
        ("from tasks.command import main", ["tasks.command.main"]),
        ("from ..routing import choice", ["..routing.choice"]),
        ("from prefect.logging import get_logger", ["prefect.logging.get_logger"]),
        ("if True:\n    from flows.summarize import summarize", ["flows.summarize.summarize"]),
    ],
)
def test_a_stray_import_is_seen_wherever_it_stands(source: str, expected: list[str]) -> None:
    assert strays("chunking", imports(ast.parse(source))) == expected


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_to_its_left_and_no_prefect(room: str) -> None:
    paths = modules(f"tasks/{room}")
    assert paths
    found = {str(path.relative_to(ROOT)): strays(room, imports(parsed(path))) for path in paths}
    assert {name: names for name, names in found.items() if names} == {}


def importing(packages: set[str]) -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for path in (*modules("tasks"), *modules("flows"))
        if any(name.partition(".")[0] in packages for name in imports(parsed(path)))
    ]


def test_httpx_is_spoken_by_the_client_and_its_transport() -> None:
    assert importing({"httpx"}) == [SETTINGS, CLIENT, TRANSPORT]
    assert importing({"aiohttp"}) == [TRANSPORT]
    assert importing({"requests", "urllib3"}) == []


def test_flows_define_no_classes() -> None:
    paths = modules("flows")
    assert len(paths) > 1
    classes = [node.name for path in paths for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
    assert classes == []


def test_flows_import_tasks_and_prefect_alone() -> None:
    found = {name.partition(".")[0] for path in modules("flows") for name in imports(parsed(path))}
    assert found - sys.stdlib_module_names <= {"tasks", "prefect"}
    assert "tasks" in found


def test_tasks_import_no_flow() -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), name)
        for path in modules("tasks")
        for name in imports(parsed(path))
        if name.partition(".")[0] in {"flows", "tests"}
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["data", "deployments"])
def test_there_is_no_python_in_the_folders_of_data(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert modules(folder) == []


@pytest.mark.parametrize(("package", "imported"), [("flows", ["tasks"]), ("tasks", ["os"])])
def test_the_packages_on_top_load_nothing(package: str, imported: list[str]) -> None:
    """They stop Prefect from calling home, before anything imports it."""
    tree = parsed(ROOT / package / "__init__.py")
    assert list(imports(tree)) == imported
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def test_importing_every_room_does_not_import_prefect() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for room in ROOMS
        for path in modules(f"tasks/{room}")
    ]
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"missing = [name for name in {names!r} if name not in sys.modules]\n"
        "print(missing, sorted(name for name in sys.modules if name.partition('.')[0] == 'prefect'))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "[] []"), ran.stderr


def test_scripts_find_the_options_under_their_older_name() -> None:
    from tasks.jobs import options as older  # noqa: PLC0415 - the name is what is tried
    from tasks.prompting import options  # noqa: PLC0415

    assert [getattr(older, name) for name in older.__all__] == [getattr(options, name) for name in older.__all__]


def test_the_ledger_alone_is_asked_in_sql() -> None:
    """DuckDB reads Parquet for the monitor and the terminal: that is no ledger."""
    words = re.compile(r"\b(SELECT .* FROM|INSERT INTO|UPDATE .* SET|DELETE FROM)\b|\.peek\(")
    found = [
        path.relative_to(ROOT).as_posix()
        for path in modules("tasks")
        if path.parent.name != "ledger" and words.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
