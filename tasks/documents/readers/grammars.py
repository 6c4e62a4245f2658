"""The programming languages whose definitions are known, by their files' suffixes; the `code` extra brings them."""

from functools import cache
from importlib.util import find_spec
from pathlib import PurePath

# The suffixes of each grammar: its package is tree_sitter_NAME.
GRAMMARS = {
    "python": (".py", ".pyi"),
    "javascript": (".js", ".mjs", ".cjs", ".jsx"),
    "typescript": (".ts", ".mts", ".cts"),
    "tsx": (".tsx",),
    "java": (".java",),
    "go": (".go",),
    "rust": (".rs",),
    "c": (".c",),
    "cpp": (".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"),
    "c_sharp": (".cs",),
    "ruby": (".rb",),
    "php": (".php",),
    "bash": (".sh", ".bash"),
}
OF_SUFFIX = {suffix: name for name, suffixes in GRAMMARS.items() for suffix in suffixes}


def lacks_grammar(name: str) -> bool:
    """Whether a file of this name is source code whose grammar isn't installed: it is read as text, without outline."""
    language = OF_SUFFIX.get(PurePath(name).suffix.lower())
    return language is not None and not _is_there("typescript" if language == "tsx" else language)


@cache
def _is_there(language: str) -> bool:
    return find_spec("tree_sitter") is not None and find_spec(f"tree_sitter_{language}") is not None
