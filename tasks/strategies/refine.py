"""Carry one answer through the chunks, in order."""

from tasks.calls.cutting import Cutter
from tasks.calls.estimate import Expected
from tasks.calls.rows import Outcome
from tasks.prompting.conversation import Text
from tasks.strategies.strategy import Ask, covered, of_chunks_alone


class Refine:
    """A call over the first chunk, and one over the answer so far and each chunk that follows."""

    name = "refine"
    chunk_stage = "refine"
    more_stages: tuple[str, ...] = ("refine",)
    cuts = True
    keeps_length = False

    async def run(self, ask: Ask) -> Outcome:
        """Ask chunk by chunk; one that fails is left out."""
        answer: Text | None = None
        answers: list[Text | None] = []
        for number in range(len(ask.cut.chunks)):
            if answer is None:
                got = await ask.chunk(number)
            else:
                (sized,) = await ask.sized([answer])
                got = await ask.refined(number, sized)
            answers.append(got)
            answer = got or answer
        if answer is None:
            raise ask.last_failure()
        return Outcome(answer.text, covered(ask.cut, answers), answer.cut, answer.labels)

    def estimate(self, cutter: Cutter, chunks: int, tokens: int, answer: int | None) -> Expected:
        """Return what the chunks come to, each but the first with an answer before it."""
        expected = of_chunks_alone(cutter, chunks, tokens, answer)
        more = (answer or 0) + cutter.tokens(cutter.prompts.refine) - cutter.tokens(cutter.prompts.map)
        return expected + Expected(prompt_tokens=(chunks - 1) * more)
