"""The names of WordprocessingML and of what is drawn within it (ECMA-376, part 1), in the transitional namespaces."""

from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
CX = "{http://schemas.microsoft.com/office/drawing/2014/chartex}"
DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
V = "{urn:schemas-microsoft-com:vml}"
O = "{urn:schemas-microsoft-com:office:office}"  # noqa: E741 - its usual prefix
W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
VAL = f"{W}val"
ID = f"{R}id"
OFF = ("0", "false", "off", "none")


def is_on(element: Any) -> bool:
    """Whether a property that may be switched off is there and on."""
    return element is not None and element.get(VAL, "true").lower() not in OFF


def number(text: str | None, default: int = 0) -> int:
    """Return a whole number as attributes hold it, `default` where it is none."""
    try:
        return int(text or default)
    except ValueError:
        return default
