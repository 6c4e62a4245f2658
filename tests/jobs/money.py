"""The sums that have to agree: of the tables, the totals, job.json and the provider's own counters."""

import json

import pytest

from tests.conftest import Ran
from tests.simulator import Simulator

PRICE = "10/20"  # USD per million tokens


def paid(provider: Simulator) -> float:
    """What the provider has been paid, in USD, by its own counters."""
    return provider.counts.prompt_tokens * 10e-6 + provider.counts.completion_tokens * 20e-6


def assert_adds_up(ran: Ran, provider: Simulator, *, priced: bool = True) -> None:
    """Tokens agree to the last one; USD as far as floats do."""
    rows = [row for row in ran.rows("calls") if not row["reused"]]
    totals, counts = ran.record.totals, provider.counts
    told = json.loads((ran.output / "job.json").read_text())["totals"]
    tokens = (counts.prompt_tokens, counts.completion_tokens)
    assert (sum(row["prompt_tokens"] for row in rows), sum(row["completion_tokens"] for row in rows)) == tokens
    assert (totals.prompt_tokens, totals.completion_tokens) == tokens
    assert (told["prompt_tokens"], told["completion_tokens"]) == tokens
    assert totals.calls == told["calls"] == len(ran.rows("calls"))
    if priced:
        costs = [row["cost_usd"] for row in rows]
        assert sum(costs) == pytest.approx(paid(provider))
        assert totals.cost_usd == told["cost_usd"] == pytest.approx(paid(provider))
