"""The limits that hold for a job at a provider: those of its options, else those that the provider declares."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tasks.models.catalogue import Provider
from tasks.providers.rate_limit_headers import Unit

SECOND, MINUTE = 1.0, 60.0


class AskedLimits(Protocol):
    """The limits given by options; None where an option isn't set."""

    @property
    def rpm(self) -> int | None:
        """Requests a minute."""
        ...

    @property
    def tpm(self) -> int | None:
        """Tokens a minute, of prompts and answers together."""
        ...

    @property
    def concurrency(self) -> int | None:
        """Calls in flight."""
        ...


class LimitedRate(NamedTuple):
    """At most `limit` units in any `period` of seconds; `unit` is requests, tokens, input or output."""

    unit: Unit
    limit: int
    period: float = MINUTE


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """All limits that dispatch keeps to and a plan counts on; `typical_seconds` is the usual time of a call."""

    rates: tuple[LimitedRate, ...]
    concurrency: int
    typical_seconds: float

    @classmethod
    def of(cls, asked: AskedLimits, provider: Provider) -> "EffectiveLimits":
        """Return those of a provider for a job."""
        return cls(tuple(_rates(asked, provider)), asked.concurrency or provider.concurrency, provider.typical_seconds)

    def a_minute(self, unit: Unit) -> float | None:
        """Return how many units a minute the tightest limit allows; None without a limit."""
        return min((rate.limit * MINUTE / rate.period for rate in self.rates if rate.unit == unit), default=None)

    def seconds(self, requests: int, prompt_tokens: int, completion_tokens: int = 0) -> float:
        """Return how many seconds so much work takes at least, by the slowest of the rates and the calls in flight."""
        work = {
            "requests": requests, "tokens": prompt_tokens + completion_tokens,
            "input": prompt_tokens, "output": completion_tokens,
        }  # fmt: skip
        by_rate = (work[rate.unit] * rate.period / rate.limit for rate in self.rates)
        return max(requests / self.concurrency * self.typical_seconds, *by_rate, 0.0)


def _rates(asked: AskedLimits, provider: Provider) -> Iterator[LimitedRate]:
    every: tuple[tuple[Unit, int | None, float], ...] = (
        ("requests", asked.rpm or provider.requests_per_minute, MINUTE),
        ("tokens", asked.tpm or provider.tokens_per_minute, MINUTE),
        ("requests", provider.requests_per_second, SECOND),
        ("input", provider.input_tokens_per_minute, MINUTE),
        ("output", provider.output_tokens_per_minute, MINUTE),
    )
    yield from (LimitedRate(unit, limit, period) for unit, limit, period in every if limit)
