"""Put each chunk's answer where its chunk stood: for texts that are transformed rather than summarised."""

from collections.abc import Iterator, Sequence

from tasks.calls.cutting import Cut, Cutter
from tasks.calls.estimate import Expected
from tasks.calls.rows import Outcome
from tasks.prompting.conversation import Text
from tasks.strategies.strategy import Ask, all_of, covered, of_chunks_alone

# Where the chunk between two others wasn't answered.
PARAGRAPH = "\n\n"


class Concatenate:
    """A call over each chunk, side by side; their answers are joined by the white space that the text has there."""

    name = "concatenate"
    chunk_stage = "map"
    more_stages: tuple[str, ...] = ()
    cuts = True
    keeps_length = True

    async def run(self, ask: Ask) -> Outcome:
        """Ask over all chunks; the answer of one that fails is missing."""
        count = len(ask.cut.chunks)
        answers = [await ask.chunk(0)] if count == 1 else await all_of(map(ask.chunk, range(count)))
        if all(answer is None for answer in answers):
            raise ask.last_failure()
        is_cut = any(answer.cut for answer in answers if answer is not None)
        return Outcome("".join(_pieces(ask.cut, answers)), covered(ask.cut, answers), is_cut)

    def estimate(self, cutter: Cutter, chunks: int, tokens: int, answer: int | None) -> Expected:
        """Return what one call over each chunk comes to."""
        return of_chunks_alone(cutter, chunks, tokens, answer)


def _pieces(cut: Cut, answers: Sequence[Text | None]) -> Iterator[str]:
    """Yield the answers with the white space that separates their chunks, blank chunks included."""
    if len(answers) == 1 and answers[0] is not None:
        yield answers[0].text
        return
    before: int | None = None  # where the last chunk ends, its white space apart
    is_missing = False
    for chunk, answer in zip(cut.chunks, answers, strict=True):
        passage = cut.text[chunk.start : chunk.end]
        if not passage.strip():
            continue
        if answer is not None:
            if before is not None:
                yield PARAGRAPH if is_missing else cut.text[before : chunk.end - len(passage.lstrip())]
            yield answer.text.strip()
            before = chunk.start + len(passage.rstrip())
        is_missing = answer is None
