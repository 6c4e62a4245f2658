"""The blocks of a page, and how they are laid out in Markdown."""

from collections.abc import Iterator
from dataclasses import dataclass, field

FENCE = "```"
MOST_LEVELS = 16  # what stands deeper isn't indented further


@dataclass(slots=True, eq=False)
class Flow:
    """Blocks in a row: texts, and flows within.

    `first` stands before its first line and `rest` before the others; `tight`: it follows
    what stands before it without a blank line.
    """

    first: str = ""
    rest: str = ""
    tight: bool = False
    blocks: "list[str | Flow]" = field(default_factory=list)


def laid_out(root: Flow) -> str:
    """Return a flow's Markdown, of any depth, in time linear in its length."""
    out: list[str] = []
    levels: list[tuple[Iterator[str | Flow], str]] = [(iter(root.blocks), "")]
    lead, tight, common = "", False, ""
    while levels:
        blocks, prefix = levels[-1]
        block = next(blocks, None)
        if block is None:
            levels.pop()
            common = min(common, levels[-1][1] if levels else "", key=len)
        elif isinstance(block, str):
            if out:
                out.append("\n" if tight else f"\n{common.rstrip()}\n")
            out.append((lead or prefix) + block.replace("\n", "\n" + prefix))
            lead, tight, common = "", False, prefix
        else:
            tight = block.tight if not lead else tight
            lead = (lead or prefix) + block.first if block.first or lead else ""
            deeper = prefix + block.rest if len(levels) <= MOST_LEVELS else prefix
            levels.append((iter(block.blocks), deeper))
    return "".join(out)


def on_one_line(root: Flow) -> str:
    """Return a flow's words on one line, as a table's cell holds them."""
    words: list[str] = []
    levels = [iter(root.blocks)]
    while levels:
        block = next(levels[-1], None)
        if block is None:
            levels.pop()
        elif isinstance(block, str):
            words.append(block)
        else:
            words.append(block.first.lstrip(":> "))
            levels.append(iter(block.blocks))
    lines = (_plain(line.strip()) for word in words for line in word.split("\n"))
    return " ".join(line for line in lines if line)


def _plain(line: str) -> str:
    """Return a line without what marks it as a listing's or a table's."""
    if line.startswith(FENCE) or not line.strip("|- "):
        return "" if line.startswith((FENCE, "|")) else line
    if line.startswith("| ") and line.endswith(" |"):
        return line[2:-2].replace(" | ", ", ").replace("\\|", "|") + ";"
    return line
