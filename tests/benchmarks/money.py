"""A ledger of money: `python -m tests.benchmarks.money [CALLS] [SHARE] [BUDGET]`.

A job of so many calls (5,000), of which each kind of fault takes a share (0.05), under a budget in USD (15) that ends
in the middle. Prints what `calls`, the totals and the provider's own counters come to, and fails where they differ.
"""

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.prompting.options import Options
from tests.conftest import KEY, hasten, whole_job
from tests.jobs.money import PRICE, assert_adds_up, paid
from tests.jobs.texts import fill
from tests.simulator import FAULTS, USELESS, Settings, serving

# A hang takes a minute and more until it is given up.
KINDS = sorted({*FAULTS, *USELESS} - {"hang"})


def main() -> None:
    """Run the job, and print its sums."""
    given = [float(word) for word in sys.argv[1:]]
    calls, share, budget = (given + [5000, 0.05, 15.0][len(given) :])[:3]
    with TemporaryDirectory() as name, serving(Settings(context=8192, chaos=dict.fromkeys(KINDS, share))) as provider:
        folder = Path(name, "documents")
        folder.mkdir()
        fill(folder, int(calls), 60)
        os.environ |= {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": KEY}
        options = Options(
            output=Path(name, "out"), provider="openai-compatible", model="sim-model", price=PRICE, budget=budget,
            concurrency=32, patience=600.0,
        )  # fmt: skip
        began = time.monotonic()
        ran = whole_job("summarize", (folder,), options, hasten)
        assert_adds_up(ran, provider)
        assert paid(provider) + ran.record.totals.lost_cost_usd <= budget
        found = {
            "seconds": round(time.monotonic() - began, 1),
            "exit_code": ran.code,
            "requests": provider.counts.requests,
            "faults": dict(provider.counts.faults),
            "provider": [provider.counts.prompt_tokens, provider.counts.completion_tokens, round(paid(provider), 6)],
            "calls": [sum(row[name] for row in ran.rows("calls")) for name in ("prompt_tokens", "completion_tokens")],
            "totals": {name: getattr(ran.record.totals, name) for name in ran.record.totals.__slots__},
        }
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
