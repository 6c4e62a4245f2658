"""DOCX files from their mark-up: see `word`."""

from collections.abc import Mapping, Sequence

from tests.documents import made

SCHEMAS = "http://schemas.openxmlformats.org"
OFFICE = f"{SCHEMAS}/officeDocument/2006/relationships"
SPACES = {
    "w": made.WORD,
    "r": OFFICE,
    "m": f"{SCHEMAS}/officeDocument/2006/math",
    "a": f"{SCHEMAS}/drawingml/2006/main",
    "c": f"{SCHEMAS}/drawingml/2006/chart",
    "dgm": f"{SCHEMAS}/drawingml/2006/diagram",
    "mc": f"{SCHEMAS}/markup-compatibility/2006",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
    "cx": "http://schemas.microsoft.com/office/drawing/2014/chartex",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "other": "urn:another-program",
}
XMLNS = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())

Files = Mapping[str, str | bytes]


def word(
    body: str,
    parts: Files | None = None,
    relations: Sequence[tuple[str, str, str]] = (),
    types: Mapping[str, str] | None = None,
) -> bytes:
    """A DOCX of this body; `parts` lie beside it in word/, `relations` are (id, kind, target).

    Each part that is named like a kind (styles.xml, numbering.xml) has its relationship without being listed.
    """
    known = {name.removesuffix(".xml"): name for name in parts or {} if "/" not in name and name.endswith(".xml")}
    related = [*relations, *((f"own{kind}", kind, name) for kind, name in known.items() if kind in KINDS)]
    overrides = "".join(
        f'<Override PartName="/word/{name}" ContentType="{type_}"/>' for name, type_ in (types or {}).items()
    )
    return made.zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{SCHEMAS}/package/2006/content-types">{overrides}'
            f'<Override PartName="/word/document.xml" ContentType="{made.MAIN}"/></Types>',
            "_rels/.rels": _relations([("r1", "officeDocument", "word/document.xml")]),
            "word/document.xml": root("document", f"<w:body>{body}</w:body>"),
            "word/_rels/document.xml.rels": _relations(related),
            **{f"word/{name}": content for name, content in (parts or {}).items()},
        }
    )


KINDS = ("styles", "numbering", "footnotes", "endnotes", "comments", "settings")


def root(name: str, inner: str) -> str:
    """The root of a part of Word's."""
    return f"<w:{name} {XMLNS}>{inner}</w:{name}>"


def _relations(relations: Sequence[tuple[str, str, str]]) -> str:
    items = (f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{target}"/>' for key, kind, target in relations)
    return f'<Relationships xmlns="{made.RELATIONS}">{"".join(items)}</Relationships>'


def t(text: str) -> str:
    """Text."""
    return f'<w:t xml:space="preserve">{text}</w:t>'


def r(text: str, look: str = "") -> str:
    """A run."""
    return f"<w:r>{f'<w:rPr>{look}</w:rPr>' if look else ''}{t(text)}</w:r>"


def p(*inner: str, style: str = "", pr: str = "") -> str:
    """A paragraph of runs, or of a text."""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    runs = "".join(item if item.startswith("<") else r(item) for item in inner)
    return f"<w:p><w:pPr>{named}{pr}</w:pPr>{runs}</w:p>"


def cell(text: str = "", pr: str = "", inner: str = "") -> str:
    """A cell of a table."""
    return f"<w:tc><w:tcPr>{pr}</w:tcPr>{inner or p(text)}</w:tc>"


def table(*rows: Sequence[str]) -> str:
    """A table of rows of cells, each a text or a cell's mark-up."""
    cells = ("".join(item if item.startswith("<") else cell(item) for item in row) for row in rows)
    return f"<w:tbl><w:tblPr/>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def field(told: str, result: str | None = None, form: str = "") -> str:
    """A field that is told something, with the runs that it shows, or as a form's."""
    begin = f'<w:r><w:fldChar w:fldCharType="begin">{form and f"<w:ffData>{form}</w:ffData>"}</w:fldChar></w:r>'
    shown = "" if result is None else f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{result}'
    end = '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    return f'{begin}<w:r><w:instrText xml:space="preserve"> {told} </w:instrText></w:r>{shown}{end}'
