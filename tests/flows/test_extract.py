"""The extract flow's command line, as a person uses it."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.flows.tables import query
from tests.flows.test_command import SIMULATED, ended, environment
from tests.jobs.invoices import TYPES, answer, number_in, schema_file, text_of
from tests.simulator import Settings, serving


def test_a_table_goes_in_and_typed_columns_come_out(prefect: str, tmp_path: Path) -> None:
    table, output = tmp_path / "invoices.parquet", tmp_path / "out"
    columns = {"id": [str(one) for one in range(20)], "text": list(map(text_of, range(20))), "shelf": list(range(20))}
    pq.write_table(pa.table(columns), table)
    words = [str(table), *SIMULATED, "--text-column", "text", "--id-column", "id", "--join", "--output", str(output)]
    command = [sys.executable, "-m", "flows.extract", *words, "--json"]
    write = Settings(context=8192, write=lambda body: answer(number_in(body)))
    with serving(write) as provider:
        run = ended([*command, "--schema", schema_file(tmp_path)], environment(provider, prefect))
        bare = ended(command, environment(provider, prefect))
    assert run.returncode == 0, run.stderr
    record = json.loads(run.stdout)
    assert (record["flow"], record["totals"]["done"], record["spec"]["merge"]) == ("extract", 20, "list")
    found = query(f"select shelf, number, total, address.city from '{output}/documents/*.parquet' order by shelf")
    assert found == [(one, one, one + 0.5, f"City {one % 7}") for one in range(20)]
    types = {name: kind for name, kind, *_ in query(f"describe select * from '{output}/documents/*.parquet'")}
    assert {name: types[name] for name in TYPES} == TYPES
    assert bare.returncode == 2
    assert "extract needs --schema" in bare.stderr
