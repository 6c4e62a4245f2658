"""Write the tables of options into flows/README.md anew: `python -m tests.option_tables`."""

from pathlib import Path

from tasks.terminal.option_tables import BEGIN, END, option_tables

MANUAL = Path(__file__).parents[1] / "flows" / "README.md"

if __name__ == "__main__":
    before, _, rest = MANUAL.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    MANUAL.write_text(before + option_tables() + after, encoding="utf-8")
