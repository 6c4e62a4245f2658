"""A comparison made by hand, with everything in it that a page has to bear."""

from datetime import UTC, datetime, timedelta

from tasks.comparison.comparison_records import (
    Agreement,
    Compared,
    ComparedAnswer,
    Comparison,
    Measured,
    Projected,
    Recommendation,
    Terms,
)

HOSTILE = "<img src=x onerror=alert(1)>&\"'{{ 7*7 }}.txt"
SAID = "</script><script>alert(2)</script>"
BEGAN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
# Name, USD for all, seconds for all, p50 and p90 in ms, agreement, ROUGE-L, failed of ten, on the front.
ROUTES = (
    ("openrouter/mistral-small-2603", 41.2, 2900, 1380, 2460, 0.91, 0.44, 0, True),
    ("together/mistral-nemo", 12.6, 5400, 1970, 3470, 0.87, 0.38, 1, True),
    ("deepinfra/mistral-nemo", 9.8, 14800, 3150, 5300, 0.86, 0.37, 0, True),
    ("mistral/mistral-large-2512", 262.0, 8300, 2890, 6100, 0.92, 0.47, 0, False),
    (f"apipie@{SAID}/an-unpriced-model-with-a-long-name-2026-11-20", None, 7100, 2200, 9000, 0.61, 0.21, 6, False),
)


Row = tuple[str, float | None, float, float, float, float, float, int, bool]


def comparison() -> Comparison:
    names = [row[0] for row in ROUTES]
    return Comparison(
        comparison_id="compare-20261120-1",
        flow="summarize",
        version="0.1.0",
        spec={"inputs": ["reports/"], "output": "out", "sample": 10, "budget": 2.5, "reference": "gold.jsonl"},
        status="done",
        reason=None,
        started_at=BEGAN,
        finished_at=BEGAN + timedelta(seconds=412),
        documents=48_210,
        sample=tuple(document for document, _ in DOCUMENTS),
        cost_usd=0.0712,
        routes=tuple(map(compared, ROUTES)),
        agreements=tuple(
            Agreement(one, other, 10, round(0.95 - 0.04 * (j - i) - 0.01 * i, 3))
            for i, one in enumerate(names)
            for j, other in enumerate(names)
            if i < j
        ),
        recommendation=Recommendation(
            names[2],
            names[0],
            names[1],
            (names[2], names[1], names[0]),
            (
                f"recommended: {names[1]}: $12.60 and 1.5 h for all documents, under half of the cheapest's time.",
                f"cheapest: {names[2]}: $9.80 and 4.1 h.",
                f"fastest: {names[0]}: 48 min and $41.20.",
            ),
        ),
        notes=("Agreement is measured by the local model's embeddings.",),
        left_out={"edenai/gpt-x": "its window is smaller than a document"},
    )


def compared(row: Row) -> Compared:
    route, usd, seconds, p50, p90, agreement, rouge, failed, is_front = row
    provider, _, model = route.partition("/")
    priced = usd is not None
    terms = Terms(route, provider, model, 131_072, 0.1 if priced else None, 0.3 if priced else None, 32, 900.0)
    measured = Measured(
        documents=10, done=10 - failed, failed=failed, calls=34 - failed, attempts=36, prompt_tokens=81_402,
        completion_tokens=6_120, cost_usd=None if usd is None else usd * 10 / 48_210, latency_mean=p50 * 1.2,
        latency_p50=p50, latency_p90=p90, tokens_per_second=180_000 / p50,
        failures={"timeout": failed - 1, SAID: 1} if failed > 1 else {"timeout": 1} if failed else {},
        answer_characters=812.4, cut=1, agreement=agreement, rouge_l=rouge,
        stopped="it answered three documents in a row with an error" if failed > 1 else None,
    )  # fmt: skip
    return Compared(terms, measured, Projected(48_210, 163_914, usd, seconds, "latency"), is_front)


DOCUMENTS = (
    (
        "reports/2024/annual-review.pdf",
        "The review finds that output rose by a tenth while the staff stayed the same. ",
    ),
    (HOSTILE, f"It says: {SAID} and <b>nothing</b> else. "),
    ("notes/field-diary.md", "Rain until noon; the river stood a hand above the mark of last year. "),
)


def answers() -> list[ComparedAnswer]:
    return [
        answer(document, text * (2 + number % 3), row, is_failed=number == 4 and place == 2)
        for place, (document, text) in enumerate(DOCUMENTS)
        for number, row in enumerate(ROUTES)
    ]


def answer(document: str, text: str, row: Row,
           *, is_failed: bool) -> ComparedAnswer:  # fmt: skip
    provider, _, model = row[0].partition("/")
    return ComparedAnswer(
        document, row[0], provider, model, "failed" if is_failed else "done", None if is_failed else text,
        0 if is_failed else len(text), 3, 8140, 612, None if row[1] is None else 0.00071, int(row[3]), False,
        None if is_failed else row[5], None if is_failed else row[6],
        "timeout" if is_failed else None, "the provider didn't answer within 60 s" if is_failed else None,
    )  # fmt: skip
