"""Ask over a whole text at once: one that doesn't fit in the window fails."""

from tasks.calls.cutting import Cutter
from tasks.calls.estimate import Expected
from tasks.calls.rows import Outcome
from tasks.strategies.strategy import Ask, covered, of_chunks_alone


class Stuff:
    """One call a document."""

    name = "stuff"
    chunk_stage = "map"
    more_stages: tuple[str, ...] = ()
    cuts = False
    keeps_length = False

    async def run(self, ask: Ask) -> Outcome:
        """Ask over the only chunk."""
        answer = await ask.chunk(0)
        if answer is None:
            raise ask.last_failure()
        return Outcome(answer.text, covered(ask.cut, [answer]), answer.cut, answer.labels)

    def estimate(self, cutter: Cutter, chunks: int, tokens: int, answer: int | None) -> Expected:
        """Return what one call over each text comes to."""
        return of_chunks_alone(cutter, chunks, tokens, answer)
