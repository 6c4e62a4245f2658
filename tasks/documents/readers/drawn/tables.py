"""Tables of slides to Markdown (ECMA-376, part 1, 21.1.3): every value in the column that it is shown in."""

from typing import Any

from tasks.documents.readers.docx.names import A
from tasks.documents.readers.docx.tables import LONGEST_REPEATED, markdown_table
from tasks.documents.readers.drawn.text import in_one_line

ON = ("1", "true", "on")


def table_texts(table: Any) -> list[str]:
    """Return a table; what spans rows is said in each unless it is long, what spans columns in the first."""
    above: dict[int, str] = {}
    rows = []
    for row in table.iterfind(f"{A}tr"):
        texts = []
        for column, cell in enumerate(row.iterfind(f"{A}tc")):
            if cell.get("hMerge", "") in ON:
                text = ""
            elif cell.get("vMerge", "") in ON:
                text = above.get(column, "")
            else:
                body = cell.find(f"{A}txBody")
                text = "" if body is None else in_one_line(body)
                above[column] = text if len(text) <= LONGEST_REPEATED else ""
            texts.append(text)
        rows.append(texts)
    width = max(map(len, rows), default=0)
    kept = [[*texts, *[""] * (width - len(texts))] for place, texts in enumerate(rows) if any(texts) or place == 0]
    return [markdown_table(kept)] if any(map(any, kept)) else []
