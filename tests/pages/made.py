"""Made-up facts for pages: as many routes and days as are wanted, and hostile names among them."""

import random
from datetime import UTC, datetime, timedelta

from tasks.health.records import (
    SIZES,
    Advice,
    Alarm,
    ErrorCount,
    Health,
    Latency,
    LatencyDay,
    PriceStep,
    RouteHealth,
    Uptime,
    UptimeSlot,
)

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>"
PROVIDERS = ("openrouter", "together", "deepinfra", "apipie@bedrock", "mistral", "edenai", "monster", "bedrock")
MODELS = ("mistral-nemo-instruct-2407", "mistral-small-2603", "codestral-2508", "ministral-8b", "mistral-embed")


def health_of(routes: int = 40, days: int = 365, seed: int = 1) -> Health:
    """Return the health of so many routes over so many days."""
    luck = random.Random(seed)
    made = [_route(number, days, luck) for number in range(routes)]
    return Health(
        NOW,
        NOW - timedelta(days),
        routes * days * 288,
        made,
        [Alarm("route_down", made[2].label, "has not answered since 08:55: no connection")],
        [
            Advice(
                "dearer_route",
                made[0].label,
                "You paid $12.40 for 1,240,000 calls here; together/mistral-nemo takes 38 % less for the same.",
                "--provider together",
                {"calls": 1240, "paid_usd": 12.4, "there_usd": 7.7},
            ),
            Advice(
                "answer_cut", HOSTILE, "31 % of the answers ended at --max-output-tokens.", "--max-output-tokens 800"
            ),
        ],
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
    return RouteHealth(
        PROVIDERS[number % len(PROVIDERS)],
        HOSTILE if number == 5 else f"{MODELS[number % len(MODELS)]}{f'-v{number}' if number > 9 else ''}",
        "embedding" if number % 5 == 4 else "code" if number % 5 == 2 else "chat",
        "down" if number == 2 else "unknown" if number == 7 else "up",
        NOW,
        number < 4,
        Uptime(hours[-1], 12),
        Uptime(sum(hours[-24:]) / 24, 288),
        Uptime(sum(up[-7:]) / min(7, days), 2016),
        Latency(None, 2016, pace, pace * 1.6, pace * 2.7, pace * 0.3, luck.uniform(20, 180)),
        [Latency(size, 400, *(pace * by * (0.6 + size / 9000) for by in (1, 1.7, 3))) for size in SIZES],
        errors,
        "no connection" if number == 2 else None,
        prices[-1],
        prices,
        32768,
        days * 288,
        1240 if number < 4 else 0,
        0.31,
        [UptimeSlot(hour - timedelta(hours=47 - at), one, 12) for at, one in enumerate(hours) if at % 17 != 3],
        [UptimeSlot(today - timedelta(days=days - 1 - at), one, 288) for at, one in enumerate(up)],
        [
            LatencyDay(today - timedelta(days=days - 1 - at), 288, pace * luck.uniform(0.8, 1.3), pace * 2)
            for at in range(days)
        ],
        "its price isn't known, and there is a budget: only listed" if number == 7 else None,
    )
