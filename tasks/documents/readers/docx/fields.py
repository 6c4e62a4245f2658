"""Fields (ECMA-376, part 1, 17.16): what they show is text, what they are told to do isn't."""

import re
from typing import TYPE_CHECKING, Any

from tasks.documents.readers.docx.names import VAL, W, is_on, number
from tasks.documents.readers.docx.old_equations import old_equation
from tasks.documents.readers.docx.signs import sign
from tasks.documents.readers.docx.walk import SKIP, Handler, Skip

if TYPE_CHECKING:
    from tasks.documents.readers.docx.story import Story

CHECKED, UNCHECKED = "☒", "☐"
WORD = re.compile(r'"([^"]*)"|(\S+)')


class Field:
    """A field as it goes by: `start` is where what it shows begins, in the pieces of the paragraph `begun`."""

    def __init__(self, begun: object, start: int, form: Any) -> None:
        self.begun, self.start, self.form = begun, start, form
        self.told: list[str] = []
        self.has_result = False

    def shown(self) -> str:
        """Return what a field shows for which no result is kept."""
        told = "".join(self.told).strip()
        name = told.split(" ", 1)[0].upper()
        if self.form is not None:
            return _form_shown(self.form)
        if name == "SYMBOL":
            return _symbol(told)
        if name == "EQ":
            return old_equation(told)
        if name == "MACROBUTTON":
            return " ".join(told.split()[2:])
        return ""

    @property
    def is_page_number(self) -> bool:
        """Whether it shows a page's number, or how many there are."""
        return "".join(self.told).strip().split(" ", 1)[0].upper() in ("PAGE", "NUMPAGES", "SECTIONPAGES")


def _form_shown(form: Any) -> str:
    """Return the state of a check box, or the chosen entry of a list, of an old form (w:ffData)."""
    box, choice = form.find(f"{W}checkBox"), form.find(f"{W}ddList")
    if box is not None:
        checked = box.find(f"{W}checked")
        return CHECKED if is_on(checked if checked is not None else box.find(f"{W}default")) else UNCHECKED
    if choice is None:
        default = form.find(f"{W}textInput/{W}default")
        return "" if default is None else default.get(VAL, "")
    entries = [entry.get(VAL, "") for entry in choice.iter(f"{W}listEntry")]
    chosen = choice.find(f"{W}result")
    chosen = choice.find(f"{W}default") if chosen is None else chosen
    place = 0 if chosen is None else number(chosen.get(VAL))
    return entries[place] if 0 <= place < len(entries) else ""


def _symbol(told: str) -> str:
    r"""Return the character of `SYMBOL 252 \f Wingdings`; a code may be hexadecimal, or the character itself."""
    words = [quoted or bare for quoted, bare in WORD.findall(told)]
    if len(words) < 2:
        return ""
    font = next((words[place + 1] for place, word in enumerate(words[:-1]) if word.lower() == "\\f"), "")
    try:
        code = int(words[1], 0)
    except ValueError:
        code = ord(words[1][0])
    return sign(font, code) if 0 < code < 0x110000 else ""


class FieldCodes:
    """The reader of fields within a story.

    What is said between a field's beginning and its result is taken back, so nothing is lost
    where the end of a field is.
    """

    def __init__(self, story: "Story") -> None:
        self._story = story
        self._open: list[Field] = []
        self.handlers: dict[Any, Handler | Skip] = {
            f"{W}fldChar": self._mark,
            f"{W}instrText": self._instruction,
            f"{W}delInstrText": SKIP,
            f"{W}fldSimple": self._simple,
        }

    def _instruction(self, element: Any) -> Skip:
        if self._open:
            self._open[-1].told.append(element.text or "")
        return SKIP

    def _mark(self, element: Any) -> Skip:
        kind, paragraph = element.get(f"{W}fldCharType"), self._story.paragraph
        if kind == "begin":
            self._open.append(Field(paragraph, len(paragraph.pieces), element.find(f"{W}ffData")))
        elif kind == "separate" and self._open:
            self._take_back(self._open[-1])
            self._open[-1].has_result = True
        elif kind == "end" and self._open:
            field = self._open.pop()
            paragraph.paged = paragraph.paged or field.is_page_number
            if not field.has_result:
                self._take_back(field)
                self._story.say(field.shown())
        return SKIP

    def _take_back(self, field: Field) -> None:
        if field.begun is self._story.paragraph:
            del self._story.paragraph.pieces[field.start :]

    def _simple(self, element: Any) -> None:
        field = Field(None, 0, None)
        field.told.append(element.get(f"{W}instr", ""))
        self._story.paragraph.paged = self._story.paragraph.paged or field.is_page_number
