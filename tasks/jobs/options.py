"""The options by the name under which scripts that were written before know them."""

from tasks.prompting.options import CompareOptions, EmbedOptions, ExtractOptions, Options

__all__ = ["CompareOptions", "EmbedOptions", "ExtractOptions", "Options"]
