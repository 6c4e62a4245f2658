"""Check an answer against its form, and ask once more for a correction if it isn't valid."""

from tasks.base.errors import CallRejected
from tasks.calls.asker import Asker
from tasks.calls.call_context import CallContext
from tasks.calls.rows import INVALID
from tasks.prompting.answer_form import Form
from tasks.prompting.answer_parser import Invalid
from tasks.prompting.confidence import label_probabilities
from tasks.prompting.conversation import Prompt, Text
from tasks.prompting.templates import FOLDER, fill

REPAIR = (FOLDER / "repair.txt").read_text(encoding="utf-8").rstrip("\n")
AGAIN = "with --retry-failed --fresh the model is asked anew"


async def checked(asker: Asker, form: Form, context: CallContext, prompt: Prompt, answer: Text, *, whole: bool) -> Text:
    """Return an answer as canonical JSON of the form; one that isn't valid is asked for once more.

    Raises CallRejected with reason `invalid_answer` if the second isn't valid either; `progress.raw` holds its text.
    """
    try:
        return _checked(form, answer, whole=whole)
    except Invalid as error:
        faults = str(error)
    repaired = None
    # An answer that was cut off would be cut off again.
    if not answer.cut:
        repaired = await asker.ask_again(context, prompt, answer.text, fill(REPAIR, faults=faults))
    if repaired is not None:
        try:
            return _checked(form, repaired, whole=whole)
        except Invalid as error:
            faults = str(error)
    last = repaired or answer
    context.progress.raw = last.text
    refused = CallRejected(INVALID, _words(faults, cut=last.cut, repaired=repaired is not None))
    refused.attempts = 2 if repaired else 1
    asker.set_aside(context, refused)
    raise refused


def _checked(form: Form, answer: Text, *, whole: bool) -> Text:
    text = form.checked(answer.text, whole=whole)
    return Text(text, cut=False, labels=label_probabilities(form.labels_in(text), answer.tokens))


def _words(faults: str, *, cut: bool, repaired: bool) -> str:
    what = "the answer was cut off and isn't valid" if cut else "the answer isn't valid"
    fix = f"give a larger --max-output-tokens, or {AGAIN}" if cut else AGAIN
    return f"{what}{', nor was the one before it' if repaired else ''}: {'; '.join(faults.splitlines())}: {fix}"
