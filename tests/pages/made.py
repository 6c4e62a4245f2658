"""Made-up facts for pages: as many routes and days as are wanted, and hostile names among them."""

import random
from datetime import UTC, datetime, timedelta

from tasks.monitoring.health_records import (
    BUCKETS,
    Advice,
    Alarm,
    DayLatency,
    ErrorCount,
    Health,
    Latency,
    PriceStep,
    RouteHealth,
    Skipped,
    Strip,
    Uptime,
)

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>"
PROVIDERS = ("openrouter", "together", "deepinfra", "apipie@bedrock", "mistral", "edenai", "monster", "bedrock")
MODELS = ("mistral-nemo-instruct-2407", "mistral-small-2603", "codestral-2508", "ministral-8b", "mistral-embed")


def health_of(routes: int = 40, days: int = 365, seed: int = 1) -> Health:
    """Return the health of so many routes over so many days."""
    luck = random.Random(seed)
    made = tuple(_route(number, days, luck) for number in range(routes))
    return Health(
        NOW,
        made,
        (Alarm("docmill.route.down", made[2].provider, made[2].model, "has not answered since 08:55: no connection"),),
        (
            Advice(
                "dearer",
                f"{made[0].label} is dearer than needed",
                "1,240 calls cost $12.40 here; together/mistral-nemo takes 38 % less for the same.",
                "--provider together",
                4.7,
            ),
            Advice("cut", HOSTILE, "31 % of the answers ended at the limit.", "--max-output-tokens 800"),
        ),
        (Skipped("monster", HOSTILE, "its price isn't known, and there is a budget: only listed"),),
        events=routes * days * 288,
    )


def _route(number: int, days: int, luck: random.Random) -> RouteHealth:
    pace = luck.uniform(300, 2500)
    fails = luck.choice([0.0, 0.0, 0.002, 0.01, 0.06])
    up = [1.0 if luck.random() > fails * 6 else luck.uniform(0.7, 0.999) for _ in range(days)]
    hours = [1.0 if luck.random() > fails * 3 else luck.uniform(0.4, 0.999) for _ in range(48)]
    today = NOW.replace(hour=0, minute=0)
    hour = NOW.replace(minute=0)
    price = luck.uniform(0.02, 2)
    steps = [(0, 1.0), (days // 3, 0.8), (days // 2, 1.3)][: 1 + number % 3]
    prices = [PriceStep(today - timedelta(days - at), price * by, 3 * price * by) for at, by in steps]
    errors = [ErrorCount("timeout", 14, NOW), ErrorCount("rate_limited", 3, NOW)] if fails else []
    model = HOSTILE if number == 5 else f"{MODELS[number % len(MODELS)]}{f'-v{number}' if number > 9 else ''}"
    return RouteHealth(
        provider=PROVIDERS[number % len(PROVIDERS)],
        model=model,
        kind="embedding" if number % 5 == 4 else "code" if number % 5 == 2 else "chat",
        state="down" if number == 2 else "unknown" if number == 7 else "up",
        in_use=number < 4,
        last_at=NOW,
        last_error="no connection" if number == 2 else None,
        events=days * 288 + (1240 if number < 4 else 0),
        probes=days * 288,
        uptime=Uptime(hours[-1], sum(hours[-24:]) / 24, sum(up[-7:]) / min(7, days)),
        latencies=tuple(
            Latency(size, 400, *(pace * by * (0.6 + size / 9000) for by in (1, 1.7, 3))) for size in BUCKETS
        ),
        latency_p50=pace,
        latency_p90=pace * 1.6,
        latency_p99=pace * 2.7,
        first_token_p50=pace * 0.3,
        tokens_per_second=luck.uniform(20, 180),
        errors=tuple(errors),
        price_in=prices[-1].price_in,
        price_out=prices[-1].price_out,
        prices=tuple(prices),
        context=32768,
        cost_usd=0.31,
        hours=tuple(
            Strip(hour - timedelta(hours=47 - at), 12, round(12 * one)) for at, one in enumerate(hours) if at % 17 != 3
        ),
        days=tuple(Strip(today - timedelta(days=days - 1 - at), 288, round(288 * one)) for at, one in enumerate(up)),
        daily=tuple(
            DayLatency((today - timedelta(days=days - 1 - at)).date(), 288, pace * luck.uniform(0.8, 1.3), pace * 2)
            for at in range(days)
        ),
    )
