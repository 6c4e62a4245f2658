"""The reader of tables within a story (ECMA-376, part 1, 17.4): which column each cell begins in."""

from typing import TYPE_CHECKING, Any

from tasks.documents.readers.docx.names import VAL, W, is_on, number
from tasks.documents.readers.docx.tables import MOST_COLUMNS, DocxCell, table
from tasks.documents.readers.docx.walk import SKIP, Close, Handler, Skip

if TYPE_CHECKING:
    from tasks.documents.readers.docx.story import Story

CELL_PROPERTIES, SPAN, MERGE = f"{W}tcPr", f"{W}gridSpan", f"{W}vMerge"


class DocxGrid:
    """The tables that are open, one within the other, and the next column of the row in each."""

    def __init__(self, story: "Story") -> None:
        self._story = story
        self._tables: list[list[list[DocxCell]]] = []
        self._columns = [0]
        self.handlers: dict[Any, Handler | Skip] = {f"{W}tbl": self._table, f"{W}tr": self._row, f"{W}tc": self._cell}

    def _table(self, _: Any) -> Close:
        self._story.flush()
        self._tables.append([])
        return self._end_table

    def _end_table(self) -> None:
        rows = self._tables.pop()
        self._story.add(*table(rows, nested=bool(self._tables)))

    def _row(self, element: Any) -> Skip | None:
        properties, skipped = element.find(f"{W}trPr"), 0
        if properties is not None:
            if properties.find(f"{W}del") is not None or is_on(properties.find(f"{W}hidden")):
                return SKIP
            skipped = _columns(properties.find(f"{W}gridBefore"), 0)
        if self._tables:
            self._tables[-1].append([])
        self._columns[-1] = skipped
        return None

    def _cell(self, element: Any) -> Close | None:
        if not self._tables or not self._tables[-1]:
            return None
        span, goes_on = 1, False
        for item in _properties(element):
            if item.tag == SPAN:
                span = _columns(item, 1)
            elif item.tag == MERGE:
                goes_on = item.get(VAL, "continue") == "continue"
        cell = DocxCell(min(self._columns[-1], MOST_COLUMNS), goes_on, [])
        self._columns[-1] += max(span, 1)
        self._columns.append(0)
        self._tables[-1][-1].append(cell)
        self._story.open(cell.blocks)
        return self._end_cell

    def _end_cell(self) -> None:
        self._columns.pop()
        self._story.close()


def _properties(cell: Any) -> Any:
    """Return a cell's properties, which come first where there are any."""
    first = cell[0] if len(cell) else None
    if first is None or first.tag == CELL_PROPERTIES:
        return () if first is None else first
    found = cell.find(CELL_PROPERTIES)
    return () if found is None else found


def _columns(element: Any, default: int) -> int:
    return default if element is None else max(number(element.get(VAL), default), 0)
