"""Convert all parts of a result set to one job's schemas, so that they can be read as one table."""

import pyarrow as pa
import pyarrow.types as kinds

from tasks.base.errors import UserMistake
from tasks.results.footers import Footer, Footers, footers
from tasks.results.location import Folder
from tasks.results.parts import conformed, read_part, write_table
from tasks.results.schemas import TABLES, Schemas


def conform(folder: Folder, schemas: Schemas = TABLES) -> Footers:
    """Rewrite the parts of another schema, one by one: columns are added as nulls, dropped, or widened.

    Returns the footers of all parts as they are then. Raises UserMistake naming a
    column whose type can't be made the job's, before anything is rewritten, and StorageFailed.
    """
    found = dict(footers(folder, schemas))
    odd = [name for name, footer in found.items() if not _alike(footer.schema, _wanted(name, schemas))]
    for name in odd:
        _require_castable(folder, name, found[name].schema, _wanted(name, schemas))
    for name in odd:
        wanted = _wanted(name, schemas)
        write_table(folder, name, conformed(read_part(folder, name), wanted))
        found[name] = Footer(found[name].rows, wanted)
    return found


def _wanted(name: str, schemas: Schemas) -> pa.Schema:
    return schemas[name.partition("/")[0]]


def _alike(held: pa.Schema, wanted: pa.Schema) -> bool:
    """Whether names and types are the same; descriptions change from version to version."""
    return bool(held.equals(wanted, check_metadata=False))


def _require_castable(folder: Folder, name: str, held: pa.Schema, wanted: pa.Schema) -> None:
    for field in wanted:
        here = held.field(field.name).type if field.name in held.names else field.type
        if not (_widens(here, field.type) or _holds(folder, name, here, field)):
            raise UserMistake(
                f"{folder.location}: the column {field.name} of {name.partition('/')[0]} is {here} there and "
                f"{field.type} in this job: give another --output"
            )


def _widens(held: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether every value of a type is one of the other, too."""
    same = any(kind(held) and kind(wanted) for kind in (kinds.is_signed_integer, kinds.is_floating))
    wider = same and held.bit_width < wanted.bit_width
    return bool(held.equals(wanted) or kinds.is_null(held) or wider)


def _holds(folder: Folder, name: str, held: pa.DataType, wanted: pa.Field) -> bool:
    """Whether a column's whole numbers or dates can be converted to floats or text without a change of value."""
    exact = kinds.is_integer(held) or kinds.is_date32(held)
    if not exact or not (kinds.is_string(wanted.type) or (kinds.is_integer(held) and kinds.is_float64(wanted.type))):
        return False
    try:
        read_part(folder, name, [wanted.name])[wanted.name].cast(wanted.type)
    except pa.ArrowException:
        return False
    return True
