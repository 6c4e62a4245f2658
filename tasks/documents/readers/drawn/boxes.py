"""Where shapes are, and in which order they are read: from the top to the bottom, from the left to the right."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

# Shapes may overlap by as much of the smaller one's height or width, and still stand below or beside each other.
OVERLAP = 0.2
# Of more shapes than these, only the places are compared, not their extents: the cost stays near linear.
MOST_CUT = 300


class DrawnBox(NamedTuple):
    """A rectangle, in whatever unit."""

    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


class Placed(NamedTuple):
    """Texts that stand in a box."""

    box: DrawnBox
    texts: Sequence[str]


class Transform(NamedTuple):
    """From the coordinates of a group to those of the slide."""

    scale_x: float = 1.0
    scale_y: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0

    def of(self, box: DrawnBox) -> DrawnBox:
        """Return a box of the group as it lies on the slide."""
        return DrawnBox(
            box.x * self.scale_x + self.shift_x,
            box.y * self.scale_y + self.shift_y,
            box.width * self.scale_x,
            box.height * self.scale_y,
        )

    def within(self, outer: DrawnBox, inner: DrawnBox) -> "Transform":
        """Return the transform of a group that lies in `outer`, and whose own coordinates span `inner`."""
        x = outer.width / inner.width if inner.width else 1.0
        y = outer.height / inner.height if inner.height else 1.0
        return Transform(
            self.scale_x * x,
            self.scale_y * y,
            self.shift_x + self.scale_x * (outer.x - inner.x * x),
            self.shift_y + self.scale_y * (outer.y - inner.y * y),
        )


def ordered(items: Sequence[Placed]) -> list[Placed]:
    """Return what is placed in the order of reading: rows that no shape crosses, then the columns of a row."""
    if len(items) > MOST_CUT:
        return sorted(items, key=_place)
    found: list[Placed] = []
    waiting = [list(items)]
    while waiting:
        group = waiting.pop()
        parts = [group] if len(group) < 2 else _cut(group, _rows)
        if len(parts) == 1 and len(group) > 1:
            parts = _cut(group, _columns)
        if len(parts) == 1:
            found += sorted(group, key=_place)
        else:
            waiting += reversed(parts)
    return found


def _place(item: Placed) -> tuple[float, float]:
    return item.box.y, item.box.x


def _rows(box: DrawnBox) -> tuple[float, float]:
    return box.y, box.height


def _columns(box: DrawnBox) -> tuple[float, float]:
    return box.x, box.width


def _cut(items: Sequence[Placed], span: Callable[[DrawnBox], tuple[float, float]]) -> list[list[Placed]]:
    """Cut where no shape lies, but for its edges."""
    parts: list[list[Placed]] = []
    reached = reaching = 0.0  # where the shapes so far end, and how long the one is that ends there
    for item in sorted(items, key=lambda item: span(item.box)[0]):
        start, extent = span(item.box)
        if not parts or start >= reached - OVERLAP * min(extent, reaching):
            parts.append([])
            reached, reaching = start + extent, extent
        parts[-1].append(item)
        if start + extent > reached:
            reached, reaching = start + extent, extent
    return parts
