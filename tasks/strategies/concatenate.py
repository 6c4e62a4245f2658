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

    name, chunk_stage, cuts, keeps_length = "concatenate", "map", True, True

    async def run(self, ask: Ask) -> Outcome:
        """Ask over all chunks; the answer of one that fails is missing."""
        answers = await all_of(ask.chunk(number) for number in range(len(ask.cut.chunks)))
        if all(answer is None for answer in answers):
            raise ask.last_failure()
        is_cut = any(answer.cut for answer in answers if answer is not None)
        return Outcome("".join(_pieces(ask.cut, answers)), covered(ask.cut, answers), is_cut)

    def estimate(self, cutter: Cutter, chunks: int, tokens: int, answer: int | None) -> Expected:
        """Return what one call over each chunk comes to."""
        return of_chunks_alone(cutter, chunks, tokens, answer)


def _pieces(cut: Cut, answers: Sequence[Text | None]) -> Iterator[str]:
    """Yield the answers, and between two of them what parts their chunks."""
    before: int | None = None
    for number, answer in enumerate(answers):
        if answer is None:
            continue
        if before is not None:
            yield _gap(cut, number) if before == number - 1 else PARAGRAPH
        yield answer.text if len(answers) == 1 else answer.text.strip()
        before = number


def _gap(cut: Cut, number: int) -> str:
    """Return the white space around the place where a chunk begins."""
    start, text = cut.chunks[number].start, cut.text
    head = text[cut.chunks[number - 1].start : start]
    tail = text[start : cut.chunks[number].end]
    return head[len(head.rstrip()) :] + tail[: len(tail) - len(tail.lstrip())]
