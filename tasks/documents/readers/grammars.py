"""The programming languages whose definitions are known, by the suffixes of their files."""

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
