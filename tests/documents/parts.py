"""Workbooks and slide shows from XML, as no writer makes them."""

from collections.abc import Mapping, Sequence

from tests.documents import made

SHEET_NAMES = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDE_NAMES = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWN = "http://schemas.openxmlformats.org/drawingml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET_DRAWN = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
COMPATIBLE = "http://schemas.openxmlformats.org/markup-compatibility/2006"
TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>'
)
STRICT = {
    SHEET_NAMES: "http://purl.oclc.org/ooxml/spreadsheetml/main",
    SLIDE_NAMES: "http://purl.oclc.org/ooxml/presentationml/main",
    DRAWN: "http://purl.oclc.org/ooxml/drawingml/main",
    LINKS: "http://purl.oclc.org/ooxml/officeDocument/relationships",
}


def relations(*links: tuple[str, str, str]) -> str:
    """The relationships of a part: (id, kind, target)."""
    items = (f'<Relationship Id="{name}" Type="{LINKS}/{kind}" Target="{target}"/>' for name, kind, target in links)
    return f'<Relationships xmlns="{made.RELATIONS}">{"".join(items)}</Relationships>'


def workbook(
    sheets: Mapping[str, str],
    *,
    states: Mapping[str, str] = {},
    texts: str = "",
    formats: Sequence[str] = (),
    properties: str = "",
    more: Mapping[str, str | bytes] = {},
    without: Sequence[str] = (),
    strict: bool = False,
    main: str = "xl/workbook.xml",
) -> bytes:
    """A workbook of sheets, each the XML in its `sheetData`, or all of it where it begins with `<sheetData`.

    Style 0 is General, and the others are `formats`; `more` and `without` are parts by their names.
    """
    tabs, links = "", [("t", "sharedStrings", "sharedStrings.xml"), ("s", "styles", "styles.xml")]
    parts: dict[str, str | bytes] = {"[Content_Types].xml": TYPES}
    for at, (name, rows) in enumerate(sheets.items(), 1):
        state = f' state="{states[name]}"' if name in states else ""
        tabs += f'<sheet name="{name}" sheetId="{at}"{state} r:id="r{at}"/>'
        links.append((f"r{at}", "worksheet", f"worksheets/sheet{at}.xml"))
        inner = rows if rows.startswith("<sheetData") else f"<sheetData>{rows}</sheetData>"
        parts[f"xl/worksheets/sheet{at}.xml"] = (
            f'<worksheet xmlns="{SHEET_NAMES}" xmlns:r="{LINKS}">{inner}</worksheet>'
        )
    codes = "".join(f'<numFmt numFmtId="{164 + at}" formatCode="{code}"/>' for at, code in enumerate(formats))
    styles = "".join(f'<xf numFmtId="{164 + at}"/>' for at in range(len(formats)))
    folder, _, file = main.rpartition("/")
    parts |= {
        "_rels/.rels": relations(("m", "officeDocument", main)),
        main: f'<workbook xmlns="{SHEET_NAMES}" xmlns:r="{LINKS}">{properties}<sheets>{tabs}</sheets></workbook>',
        f"{folder}/_rels/{file}.rels": relations(*links),
        "xl/sharedStrings.xml": f'<sst xmlns="{SHEET_NAMES}">{texts}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET_NAMES}"><numFmts>{codes}</numFmts>'
        f'<cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
    }
    parts |= more
    kept = {name: part for name, part in parts.items() if name not in without}
    return made.zipped({name: _strict(part) if strict else part for name, part in kept.items()})


def slides(*trees: str, more: Mapping[str, str | bytes] = {}, strict: bool = False, attributes: str = "") -> bytes:
    """A slide show, each slide the XML in its tree of shapes; `more` are parts by their names."""
    ids = "".join(f'<p:sldId id="{256 + at}" r:id="r{at}"/>' for at in range(1, len(trees) + 1))
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": TYPES,
        "_rels/.rels": relations(("m", "officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{SLIDE_NAMES}" xmlns:r="{LINKS}"><p:sldIdLst>{ids}'
        "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            *((f"r{at}", "slide", f"slides/slide{at}.xml") for at in range(1, len(trees) + 1))
        ),
    }
    for at, tree in enumerate(trees, 1):
        parts[f"ppt/slides/slide{at}.xml"] = (
            f'<p:sld xmlns:p="{SLIDE_NAMES}" xmlns:a="{DRAWN}" xmlns:r="{LINKS}" xmlns:mc="{COMPATIBLE}"{attributes}>'
            f"<p:cSld><p:spTree>{tree}</p:spTree></p:cSld></p:sld>"
        )
    parts |= more
    return made.zipped({name: _strict(part) if strict else part for name, part in parts.items()})


def shape(text: str, at: tuple[int, int, int, int] | None = None, mark: str = "") -> str:
    """A shape of paragraphs in XML (or of one plain text), its box, and its placeholder's attributes."""
    held = text if text.startswith("<a:p") else f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"
    box = "" if at is None else f'<a:xfrm><a:off x="{at[0]}" y="{at[1]}"/><a:ext cx="{at[2]}" cy="{at[3]}"/></a:xfrm>'
    holder = f"<p:ph {mark}/>" if mark else ""
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="2" name="x"/><p:cNvSpPr/><p:nvPr>{holder}</p:nvPr></p:nvSpPr>'
        f"<p:spPr>{box}</p:spPr><p:txBody><a:bodyPr/>{held}</p:txBody></p:sp>"
    )


def _strict(part: str | bytes) -> str | bytes:
    for name, other in STRICT.items():
        part = part.replace(name, other) if isinstance(part, str) else part
    return part
