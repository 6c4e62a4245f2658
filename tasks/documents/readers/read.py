"""From the bytes of a format to its text; runs where it can be cut off (`worker.py`)."""

from collections.abc import Callable

from tasks.documents.readers.bounds import check_archive, unzip
from tasks.documents.readers.kinds import Kind, kind_of
from tasks.errors import DocumentFailed

Read = Callable[[bytes], str]
ZIPPED = ("docx", "pptx", "xlsx", "epub")
DEEPEST = 2


def read(data: bytes, kind: Kind, plain: Read, depth: int = 0) -> str:
    """Return the text of `data`; `plain` decodes what turns out to be text inside a gzip file.

    Raises DocumentFailed; whatever a reader raises of its own means that the file is damaged.
    """
    if kind == "gzip":
        if depth == DEEPEST:
            raise DocumentFailed("too_large", f"this file is packed more than {DEEPEST} times: unpack it first")
        inner = unzip(data)
        inner_kind = kind_of(inner, "")
        return read(inner, inner_kind, plain, depth + 1) if inner_kind else plain(inner)
    try:
        if kind in ZIPPED:
            check_archive(data)
        return _reader(kind)(data)
    except DocumentFailed:
        raise
    except MemoryError as error:
        raise DocumentFailed("too_large", "reading this file takes too much memory: split it") from error
    except RecursionError as error:
        raise DocumentFailed("damaged", f"this {kind} file is nested too deeply: save it again") from error
    except Exception as error:
        words = f"{type(error).__name__}: {error}"[:200]
        raise DocumentFailed("damaged", f"this {kind} file is damaged ({words}): save it again") from error


def _reader(kind: Kind) -> Read:
    """Import a format's reader only when it is needed."""
    if kind == "pdf":
        from tasks.documents.readers.pdf import read_pdf  # noqa: PLC0415

        return read_pdf
    if kind in ("docx", "pptx", "xlsx"):
        from tasks.documents.readers import office  # noqa: PLC0415

        return {"docx": office.read_docx, "pptx": office.read_pptx, "xlsx": office.read_xlsx}[kind]
    if kind == "epub":
        from tasks.documents.readers.epub import read_epub  # noqa: PLC0415

        return read_epub
    if kind == "mail":
        from tasks.documents.readers.mail import read_mail  # noqa: PLC0415

        return read_mail
    from tasks.documents.readers.markup import read_html  # noqa: PLC0415

    return read_html
