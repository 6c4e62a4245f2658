"""The encoding of a page: by its mark, its declaration, or its bytes, as browsers read it."""

import codecs
import contextlib
import re

from tasks.documents.decode import decode, guessed, marked
from tasks.errors import DocumentFailed

HEAD = 4096  # bytes in which the declaration is looked for
DECLARED = re.compile(
    rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})|<meta[^<>]{0,500}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})",
    re.IGNORECASE,
)
# What browsers read under other names (WHATWG Encoding, 4.2).
LABELS = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
ALIASES = {
    "x-sjis": "cp932", "x-gbk": "gb18030", "x-cp1250": "cp1250", "x-cp1251": "cp1251", "x-cp1252": "cp1252",
    "x-euc-jp": "euc_jp", "iso-8859-8-i": "iso8859-8", "iso-8859-6-i": "iso8859-6", "x-mac-roman": "mac_roman",
    "x-x-big5": "big5hkscs", "dos-874": "cp874", "unicode-1-1-utf-8": "utf-8", "windows-949": "cp949",
    "ks_c_5601-1987": "cp949", "x-mac-cyrillic": "mac_cyrillic", "windows-31j": "cp932", "windows-874": "cp874",
    "x-user-defined": "cp1252",
}  # fmt: skip
JAPANESE = "iso2022_jp"


def decode_page(data: bytes) -> str:
    """Return a page's text. What it declares holds unless it is sound UTF-8; a bad byte spoils only itself.

    Raises DocumentFailed with reason `not_text` where nothing is declared and no encoding fits.
    """
    with contextlib.suppress(DocumentFailed):  # a zero somewhere in a page doesn't make it binary
        if encoding := marked(data):
            return data.decode(encoding, "replace")
    data = data.replace(b"\0", b"")
    declared = _declared(data[:HEAD])
    if declared == JAPANESE and b"\x1b" in data:
        return data.decode(declared, "replace")
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode("utf-8")
    if declared == "utf-8":
        return data.decode(_guess(data), BAD_BYTE)
    return data.decode(declared, "replace") if declared else _detected(data)


def codec_of(label: str) -> str | None:
    """Return the codec by which browsers read what is labelled so, None for a label that nobody knows."""
    label = label.strip().lower()
    try:
        name = codecs.lookup(ALIASES.get(label, label)).name
        b"a".decode(name, "replace")  # some codecs of Python aren't encodings of text
    except (LookupError, TypeError, ValueError):
        return None
    return "utf-8" if name.startswith(("utf-16", "utf-32", "utf-7")) else LABELS.get(name, name)


def _declared(head: bytes) -> str | None:
    found = (codec_of((one[1] or one[2]).decode("ascii")) for one in DECLARED.finditer(head))
    return next((codec for codec in found if codec), None)


def _detected(data: bytes) -> str:
    with contextlib.suppress(DocumentFailed):
        return decode(data)
    return data.decode(_guess(data), BAD_BYTE)


def _guess(data: bytes) -> str:
    try:
        return guessed(data)
    except DocumentFailed:
        return "utf-8"


def _as_latin(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


BAD_BYTE = "docmill.page"
codecs.register_error(BAD_BYTE, _as_latin)
