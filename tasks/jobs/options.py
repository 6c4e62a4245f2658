"""The options under their former module name, for existing scripts."""

from tasks.prompting.options import CompareOptions, EmbedOptions, ExtractOptions, Options

__all__ = ["CompareOptions", "EmbedOptions", "ExtractOptions", "Options"]
