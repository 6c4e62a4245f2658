"""Small files of each format, as their writers make them."""

import gzip
import io
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

from openpyxl import Workbook
from pptx import Presentation

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def pdf(pages: Sequence[Sequence[str]], extra: str = "", marks: Sequence[tuple[str, int]] = ()) -> bytes:
    """A PDF whose pages hold lines of text; `extra` goes into its trailer, `marks` are (bookmark, page from 0)."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for lines in pages:
        shown = "".join(f"({line}) Tj T* " for line in lines)
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {shown}ET"
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
        page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>"
        objects.append(f"{page}/Contents {len(objects)} 0 R>>")
        kids.append(f"{len(objects)} 0 R")
    if marks:
        objects[0] = f"<</Type/Catalog/Pages 2 0 R/Outlines {len(objects) + 1} 0 R>>"
        objects += _outline(marks, kids, len(objects) + 1)
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    return _numbered(objects, extra)


def _outline(marks: Sequence[tuple[str, int]], pages: Sequence[str], root: int) -> list[str]:
    last = root + len(marks)
    found = [f"<</Type/Outlines/First {root + 1} 0 R/Last {last} 0 R/Count {len(marks)}>>"]
    for number, (title, page) in enumerate(marks, root + 1):
        after = f"/Next {number + 1} 0 R" if number < last else ""
        found.append(f"<</Title({title})/Parent {root} 0 R{after}/Dest[{pages[page]}/Fit]>>")
    return found


def _numbered(objects: Sequence[str], extra: str) -> bytes:
    data, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<</Size {size}/Root 1 0 R{extra}>>\n"
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A ZIP file of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def docx(*paragraphs: tuple[str, str]) -> bytes:
    """A DOCX of paragraphs: (style, text)."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{MAIN}"/></Types>'
    )
    relation = f'<Relationship Id="r1" Type="{OFFICE}" Target="word/document.xml"/>'
    styles = '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    return zipped(
        {
            "[Content_Types].xml": types,
            "_rels/.rels": f'<Relationships xmlns="{RELATIONS}">{relation}</Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
            "word/styles.xml": f'<w:styles xmlns:w="{WORD}">{styles}</w:styles>',
        }
    )


def pptx(*slides: tuple[str, str]) -> bytes:
    """A PPTX of slides: (title, text)."""
    show: Any = Presentation()
    for title, text in slides:
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = text
    file = io.BytesIO()
    show.save(file)
    return file.getvalue()


def xlsx(**sheets: Sequence[Sequence[object]]) -> bytes:
    """An XLSX of sheets of rows."""
    book: Any = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def epub(*chapters: str, **more: str) -> bytes:
    """An EPUB of chapters in XHTML, listed in the manifest from the last to the first."""
    names = [f"chapter{number}.xhtml" for number in range(len(chapters))]
    items = "".join(f'<item id="i{name}" href="text/{name}"/>' for name in reversed(names))
    spine = "".join(f'<itemref idref="i{name}"/>' for name in names)
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest><spine>{spine}</spine></package>'
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="book/package.opf"/></rootfiles></container>'
    )
    texts = {f"book/text/{name}": text for name, text in zip(names, chapters, strict=True)}
    return zipped({"META-INF/container.xml": container, "book/package.opf": package, **texts, **more})


def mail(html: str = "", text: str = "") -> bytes:
    """A message with an attachment."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ann@example.org", "bob@example.org", "The mill"
    message.set_content(text or "See the HTML.")
    if html:
        message.set_content(html, subtype="html")
    message.add_attachment(b"\0\1", maintype="application", subtype="pdf", filename="plan.pdf")
    return bytes(message)


def packed(data: bytes, times: int = 1) -> bytes:
    """Gzip, once or more."""
    for _ in range(times):
        data = gzip.compress(data)
    return data
