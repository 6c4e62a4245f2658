"""From the bytes of a format to its text; runs where it can be cut off (`worker.py`)."""

from collections.abc import Callable

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content
from tasks.documents.headings import markdown_sections
from tasks.documents.readers.bounds import check_archive, unzip
from tasks.documents.readers.kinds import Kind, kind_of
from tasks.documents.readers.text import read_text

ZIPPED = ("docx", "pptx", "xlsx", "epub")
DEEPEST = 2
PACKED_SUFFIX = ".gz"


def read(data: bytes, kind: Kind | None, name: str, depth: int = 0) -> Content:
    """Return what is in a file of that name and kind (None for text).

    Raises DocumentFailed; whatever a reader raises of its own means that the file is damaged.
    """
    if kind is None:
        return read_text(data, name)
    if kind == "gzip":
        if depth == DEEPEST:
            raise DocumentFailed("too_large", f"this file is packed more than {DEEPEST} times: unpack it first")
        inner = unzip(data)
        inner_name = name[: -len(PACKED_SUFFIX)] if name.lower().endswith(PACKED_SUFFIX) else name
        return read(inner, kind_of(inner, inner_name), inner_name, depth + 1)
    try:
        if kind in ZIPPED:
            check_archive(data)
        return _content(data, kind, name, depth)
    except DocumentFailed:
        raise
    except MemoryError as error:
        raise DocumentFailed("too_large", "reading this file takes too much memory: split it") from error
    except RecursionError as error:
        raise DocumentFailed("damaged", f"this {kind} file is nested too deeply: save it again") from error
    except Exception as error:
        if kind == "code":
            return read_text(data, name)  # its definitions aren't known, but it is text all the same
        words = f"{type(error).__name__}: {error}"[:200]
        raise DocumentFailed("damaged", f"this {kind} file is damaged ({words}): save it again") from error


def _content(data: bytes, kind: Kind, name: str, depth: int) -> Content:
    if kind == "pdf":
        from tasks.documents.readers.pdf.reader import read_pdf  # noqa: PLC0415 - each reader only when it is needed

        return read_pdf(data)
    if kind in ("docx", "pptx", "xlsx"):
        return _office_reader(kind)(data, depth)
    if kind == "code":
        from tasks.documents.readers.code import read_code  # noqa: PLC0415

        return read_code(data, name)
    if kind == "epub":
        from tasks.documents.readers.epub import read_epub  # noqa: PLC0415

        return read_epub(data)
    if kind == "mail":
        from tasks.documents.readers.mail.reader import read_mail  # noqa: PLC0415

        return read_mail(data)
    from tasks.documents.readers.html.charset import decode_page  # noqa: PLC0415
    from tasks.documents.readers.markup import read_html  # noqa: PLC0415

    page = decode_page(data)
    text = read_html(page.text)
    return Content(text, markdown_sections(text), unread=tuple(part._replace(start=0) for part in page.unread))


def _office_reader(kind: Kind) -> Callable[[bytes, int], Content]:
    if kind == "docx":
        from tasks.documents.readers.docx.reader import read_docx  # noqa: PLC0415

        return read_docx
    if kind == "pptx":
        from tasks.documents.readers.pptx.reader import read_pptx  # noqa: PLC0415

        return read_pptx
    from tasks.documents.readers.xlsx.reader import read_xlsx  # noqa: PLC0415

    return read_xlsx
