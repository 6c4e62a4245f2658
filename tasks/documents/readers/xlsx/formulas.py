"""Formulas: where they stand, and how one that cells share reads in each of them."""

import re

from tasks.documents.readers.xlsx.names import column_name, column_number

# Texts and sheets' names within quotes are left as they are; so are functions that look like cells (LOG10).
PART = re.compile(
    r'"[^"]*"|\'[^\']*\'|\[[^\[\]]*\]'
    r"|(?<![A-Za-z0-9_.$])(?P<fixed_column>\$?)(?P<column>[A-Za-z]{1,3})(?P<fixed_row>\$?)(?P<row>[0-9]{1,7})"
    r"(?![A-Za-z0-9_.(])"
)


def moved(formula: str, columns: int, rows: int) -> str:
    """Return a formula with its relative references moved (ECMA-376, part 1, 18.3.1.40)."""

    def shifted(match: re.Match[str]) -> str:
        if match["column"] is None:
            return match.group()
        column, row = match["column"], match["row"]
        if not match["fixed_column"]:
            column = column_name(column_number(column) + columns)
        if not match["fixed_row"]:
            row = str(int(row) + rows)
        return f"{match['fixed_column']}{column}{match['fixed_row']}{row}"

    return PART.sub(shifted, formula)
