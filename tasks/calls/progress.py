"""Live counts of a job, for displays."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TROUBLES = 5
COUNTS = ("done", "partial", "failed", "unchanged", "resumed", "calls", "reused", "prompt_tokens", "completion_tokens",
          "cost", "cost_unknown", "lost_calls", "lost_cost")  # fmt: skip


@dataclass(slots=True)
class Meter:
    """Counts of this run; every change is made under one lock."""

    expected_documents: int = 0
    expected_calls: int = 0
    planned: Mapping[str, Any] | None = None
    documents: int = 0
    done: int = 0
    partial: int = 0
    failed: int = 0
    unchanged: int = 0
    resumed: int = 0
    calls: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    cost_unknown: int = 0
    lost_calls: int = 0
    lost_cost: float = 0.0
    pruned: int = 0
    waiting: str = ""
    troubles: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listed(self, count: int = 1) -> None:
        """Count documents that the source listed."""
        with self._lock:
            self.documents += count

    def finished(self, status: str, count: int = 1) -> None:
        """Count documents by their status, `unchanged` and `resumed` among them."""
        with self._lock:
            setattr(self, status, getattr(self, status) + count)

    def trouble(self, document_id: str, words: str) -> None:
        """Keep the first few failures, to be said at the end."""
        with self._lock:
            if len(self.troubles) < TROUBLES:
                self.troubles.append(f"{document_id}: {words}")

    def paid(self, prompt_tokens: int, completion_tokens: int, cost: float | None) -> None:
        """Count one paid call."""
        with self._lock:
            self.calls += 1
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens
            self.cost += cost or 0.0
            self.cost_unknown += cost is None

    def lost(self, worst: float) -> None:
        """Count a call whose answer was lost, and the USD that it cost at the most."""
        with self._lock:
            self.lost_calls += 1
            self.lost_cost += worst

    def found(self) -> None:
        """Count one call whose answer was there already."""
        with self._lock:
            self.reused += 1

    def counts(self) -> dict[str, float]:
        """Return what is counted where documents are answered, by name."""
        with self._lock:
            return {name: getattr(self, name) for name in COUNTS}

    def merge(self, counts: Mapping[str, float], troubles: Iterable[str], waiting: str) -> None:
        """Add what another process has counted since its last report."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)
            self.waiting = waiting
            self.troubles += list(troubles)[: TROUBLES - len(self.troubles)]

    @property
    def settled(self) -> int:
        """Documents that need nothing more."""
        return self.done + self.partial + self.failed + self.unchanged + self.resumed
