"""A statement in the words of each database, and that nothing of one gets into the other's."""

import re

from tasks.ledger import questions, statements
from tasks.ledger.query import Query, in_postgres, in_sqlite, query
from tasks.ledger.store import Many

SQL: dict[str, Query | str] = {
    name: value
    for module in (statements, questions)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, Query | str) and " " in str(value)
}
MANY = {name: value for name, value in vars(statements).items() if isinstance(value, Many)}


def test_a_template_has_each_databases_own_words() -> None:
    found = query("SELECT 1 FROM documents WHERE {document_among} AND job_id = {value}")
    assert in_sqlite(found).count("?") == in_postgres(found).count("%s") == 2
    assert "json_each" in in_sqlite(found)
    assert "unnest" in in_postgres(found)


def test_no_statement_has_the_other_databases_words() -> None:
    assert len(SQL) > 20
    for name, sql in SQL.items():
        assert not re.search(r"%s|::|unnest|document_key\(", in_sqlite(sql)), name
        assert not re.search(r"\?|json_each|INDEXED BY", in_postgres(sql)), name


def test_both_take_as_many_values() -> None:
    for name, sql in SQL.items():
        assert in_sqlite(sql).count("?") == in_postgres(sql).count("%s"), name


def test_a_statement_over_many_rows_is_the_same_but_for_its_rows() -> None:
    for name, statement in MANY.items():
        assert statement.in_sqlite(2).count("?") == 2 * len(statement.types), name
        assert "json_each" not in in_postgres(statement.tail), name
