"""A ledger of very many answers costs little to open and nothing to ask."""

import subprocess
import sys
from pathlib import Path

from tests.ledger.answers import make_ledger

ROOT = Path(__file__).parents[2]
ANSWERS = 200_000
MEGABYTES = 40
SECONDS = 0.1  # of work: others work on this machine too

OPENS = """
import sys, time
from pathlib import Path
from tasks.ledger.state import local_ledger
from tests.ledger.answers import body, call_id, memory

before = memory("VmRSS")
ledger = local_ledger(Path(sys.argv[1]))
began = time.process_time()
kept = ledger.answer(call_id(123_456))
print(memory("VmHWM") - before, time.process_time() - began)
assert ledger.notice is None
assert kept.reply.body == body(123_456, 800)
assert ledger.answer(call_id("unknown")) is None
ledger.close()
"""


def test_two_hundred_thousand_answers_take_little_memory_to_open_and_are_asked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    make_ledger(path, ANSWERS)
    command = [sys.executable, "-c", OPENS, str(path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    grown, seconds = map(float, ran.stdout.split())
    assert grown < MEGABYTES
    assert seconds < SECONDS
