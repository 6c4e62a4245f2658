"""Plain text of a mail as a person reads it: its flowed lines joined, what is packed or encrypted in it cut out."""

from collections.abc import Iterator

import regex

# Files within a text, as mails carried them before MIME.
UUENCODED = regex.compile(r"^begin [0-7]{3,4} ([^\n]+)\n(?:[ -`]{1,90}\n)++end[ \t]*$", regex.MULTILINE)
PGP_BEGIN, PGP_END = "-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----"
QUOTE = regex.compile(r">*")
SIGNATURE = "-- "


def with_plain_ends(text: str) -> str:
    """Return a text whose lines end as they do everywhere else."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def unflowed(text: str, *, deletes_space: bool) -> str:
    """Return a text of `format=flowed` with its paragraphs in one line each (RFC 3676)."""
    return "\n".join(_paragraphs(text, deletes_space=deletes_space))


def _paragraphs(text: str, *, deletes_space: bool) -> Iterator[str]:
    waiting: list[str] = []
    depth = 0
    for line in text.split("\n"):
        quote = QUOTE.match(line)
        deep = len(quote[0]) if quote else 0
        content = line[deep:].removeprefix(" ")
        if waiting and (deep != depth or content in ("", SIGNATURE)):
            yield "".join(waiting)
            waiting = []
        if not waiting:
            waiting, depth = ["> " * deep] if deep else [], deep
        flows = content.endswith(" ") and content != SIGNATURE
        waiting.append(content[:-1] if flows and deletes_space else content)
        if not flows:
            yield "".join(waiting)
            waiting = []
    if waiting:
        yield "".join(waiting)


def without_files(text: str) -> tuple[str, list[str]]:
    """Return a text without the uuencoded files in it, and their names."""
    names = [match[1].strip() for match in UUENCODED.finditer(text)]
    return (UUENCODED.sub("", text) if names else text), names


def without_cipher(text: str) -> tuple[str, int | None]:
    """Return a text without what PGP encrypted in it, and where that stood."""
    start = text.find(PGP_BEGIN)
    if start < 0:
        return text, None
    end = text.find(PGP_END, start)
    return text[:start] + (text[end + len(PGP_END) :] if end >= 0 else ""), start


def of_enriched(text: str) -> str:
    """Return text/enriched without its commands (RFC 1896)."""
    joined = regex.sub(r"(?<!\n)\n(?!\n)", " ", text)
    return str(regex.sub(r"<(<)|</?[a-zA-Z-]{1,60}>", r"\1", regex.sub(r"<param>[^<]*</param>", "", joined)))
