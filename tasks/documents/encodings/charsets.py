"""Map the charsets that mails and web pages declare to the codecs for what their writers really mean."""

import re
from encodings.aliases import aliases

# What isn't an encoding of text, or runs the text as a program's source.
NO_CHARSET = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs"}
# Codecs that Python has no other name for.
MORE = {
    "cp720",
    "cp737",
    "cp856",
    "cp874",
    "cp1006",
    "koi8_r",
    "koi8_t",
    "koi8_u",
    "mac_croatian",
    "mac_farsi",
    "utf_8_sig",
}
CODECS = (frozenset(aliases.values()) | MORE) - NO_CHARSET
NUMBERED = re.compile(r"(?:cp|ibm|ccsid|oem|pc|msdos|dos|ms|windows|window|win|microsoftcp|msoemcp)0*(\d{3,5})")
LATIN = re.compile(r"(?:iso)?8859(1[0-6]|[1-9])(?:19\d\d)?[ei]?")
# Keys are labels without punctuation. Writers use some labels for a larger charset than they name
# (WHATWG Encoding Standard, section 4.2, and labels seen in mails).
MEANT = {
    "ascii": "", "usascii": "", "646": "", "ansix341968": "", "unicode": "utf_16", "ucs2": "utf_16",
    "uft8": "utf_8", "utf8mb4": "utf_8", "utf8mb3": "utf_8", "unicode11utf8": "utf_8", "utf8": "utf_8", "ut8": "utf_8",
    "unicode20utf8": "utf_8", "unicodeutf8": "utf_8", "utf": "utf_8", "cesu8": "utf_8", "u8": "utf_8",
    "unicode11utf7": "utf_7", "unicode20utf7": "utf_7", "utf7imap": "utf_7", "iso88591": "cp1252", "latin1": "cp1252",
    "l1": "cp1252", "iso88599": "cp1254", "latin5": "cp1254", "iso885911": "cp874", "tis620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "gb231280": "gb18030", "euccn": "gb18030", "eucgb2312cn": "gb18030",
    "cp936": "gb18030", "gb": "gb18030", "gb180302000": "gb18030", "chinese": "gb18030", "hzgb2312": "hz",
    "ksc5601": "cp949", "ksc56011987": "cp949", "ksc56011989": "cp949", "ks56011987": "cp949", "euckr": "cp949",
    "korean": "cp949", "ksx1001": "cp949", "uhc": "cp949", "shiftjis": "cp932", "sjis": "cp932", "mskanji": "cp932",
    "windows31j": "cp932", "cswindows31j": "cp932", "jis": "iso2022_jp", "iso2022jp": "iso2022_jp", "big5": "cp950",
    "big5eten": "cp950", "cnbig5": "cp950", "macintosh": "mac_roman", "mac": "mac_roman", "macce": "mac_latin2",
    "maccyrillic": "mac_cyrillic", "macgreek": "mac_greek", "macturkish": "mac_turkish",
    "maccentraleurope": "mac_latin2",
    "koi8": "koi8_r", "koi": "koi8_r", "koi8ru": "koi8_u", "visual": "iso8859_8", "logical": "iso8859_8",
    "cyrillic": "iso8859_5", "greek": "iso8859_7", "hebrew": "iso8859_8", "arabic": "iso8859_6",
}  # fmt: skip


def codec_of(charset: str) -> str | None:
    """Return the codec for a stated charset; None where it is unknown, or says no more than that it is ASCII.

    >>> codec_of('"cp-850"'), codec_of("iso-8859-8-i"), codec_of("gb2312"), codec_of("x-unknown")
    ('cp850', 'iso8859_8', 'gb18030', None)
    """
    words = re.split(r"[\s;,$]", charset.lower().strip(" \t\r\n\"'=<>()"), maxsplit=1)
    name = _plain(words[0])
    for form in (name, name.removeprefix("x"), name.removeprefix("cs")):
        if codec := _codec(form):
            return codec
    return None


def _codec(name: str) -> str | None:
    if name in MEANT:
        return MEANT[name]
    if numbered := NUMBERED.fullmatch(name):
        name = f"cp{numbered[1]}"
        if numbered[1] in ("65001", "20127"):
            return "utf_8" if numbered[1] == "65001" else None
        return MEANT.get(name) or BY_NAME.get(name) or PAGES.get(numbered[1])
    if latin := LATIN.fullmatch(name):
        return MEANT.get(f"iso8859{latin[1]}") or f"iso8859_{latin[1]}"
    codec = BY_NAME.get(name)
    return MEANT.get(_plain(codec), codec) if codec else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


BY_NAME = {_plain(name): codec for name, codec in aliases.items() if codec in CODECS} | {
    _plain(codec): codec for codec in CODECS
}
# Windows' numbers for what has another name.
PAGES = {
    "20866": "koi8_r", "21866": "koi8_u", "28591": "cp1252", "28592": "iso8859_2", "28595": "iso8859_5",
    "28597": "iso8859_7", "28599": "cp1254", "28605": "iso8859_15", "51932": "euc_jp", "51949": "cp949",
    "50220": "iso2022_jp", "50221": "iso2022_jp", "54936": "gb18030", "10000": "mac_roman", "10007": "mac_cyrillic",
    "1200": "utf_16_le", "1201": "utf_16_be", "20936": "gb18030", "51936": "gb18030",
}  # fmt: skip
