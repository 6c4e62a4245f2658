"""HTML to Markdown as a person sees the page: nothing is fetched, nothing run."""

from tasks.documents.readers.html.charset import decode_page
from tasks.documents.readers.html.flow import laid_out
from tasks.documents.readers.html.page import read_page


def read_html(data: bytes | str) -> str:
    """Return a page as Markdown; its encoding is its mark's, its declaration's, or detected.

    What isn't shown is left out. A power is `10^6`, a subscript `H_2O`; of ruby, the base is kept.
    Raises DocumentFailed with reason `not_text`.
    """
    page = read_page(data if isinstance(data, str) else decode_page(data).text)
    text = laid_out(page.root).strip("\n")
    title = " ".join("".join(page.title).split())
    return (f"# {title}\n\n" if title and not page.titled else "") + text + "\n"
