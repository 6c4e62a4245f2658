"""Check that each column needed from the tables occurs in some row of some table."""

from collections.abc import Iterable, Sequence

from tasks.base.errors import UserMistake
from tasks.documents.document import Document
from tasks.documents.sources import Found
from tasks.documents.tables.formats import opened
from tasks.documents.tables.json_lines import JsonLines
from tasks.documents.tables.partitions import partitions


def require_columns(tables: Iterable[Found], wanted: Sequence[str], *, inputs: int) -> None:
    """Raise UserMistake where no row of any table has one of the columns, naming those there are.

    Only as much is read as it takes to find them: most often the first rows of the first table. A table
    that can't be read may have any: `rows` says what is wrong with it.
    """
    lacking, present, places = list(wanted), dict[str, None](), list[str]()
    for file, alone in tables:
        try:
            names = _names(file, lacking, folders=not (alone and inputs == 1))
        except Exception:  # noqa: BLE001 - each store has errors of its own
            return
        lacking = [name for name in lacking if name not in names]
        if not lacking:
            return
        present |= dict.fromkeys(names)
        places.append(file.path or file.source)
    if places:
        others = len(places) - 1
        more = f" (nor in {others} other table{'s' if others > 1 else ''})" if others else ""
        raise UserMistake(f"{places[0]}: no column {lacking[0]!r}{more}; it has {', '.join(present)}")


def _names(file: Document, lacking: Sequence[str], *, folders: bool) -> dict[str, None]:
    """Return the columns of a table; of JSON Lines those of its rows until all that are lacking have come."""
    with opened(file, lacking) as table:
        names = dict.fromkeys([*table.columns, *(partitions(file.document_id) if folders else ())])
        if isinstance(table, JsonLines) and not names.keys() >= set(lacking):
            for columns in table.values():
                names |= dict.fromkeys(columns)
                if names.keys() >= set(lacking):
                    break
    return names
