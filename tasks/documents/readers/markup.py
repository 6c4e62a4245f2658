"""HTML to Markdown: headings, lists and tables are kept, nothing is fetched."""

from bs4 import BeautifulSoup
from markdownify import ATX, MarkdownConverter

# What a reader of the page doesn't see as text.
UNSEEN = ("script", "style", "template", "noscript", "iframe", "object", "svg", "head")


def read_html(data: bytes | str) -> str:
    """Return a page as Markdown; its encoding is its mark's, its `<meta>`'s, or detected."""
    page = BeautifulSoup(data, "lxml")
    title = page.title.get_text(" ", strip=True) if page.title else ""
    for part in page.find_all(UNSEEN):
        part.decompose()
    first = f"# {title}\n\n" if title and not page.find("h1") else ""
    converter = MarkdownConverter(
        heading_style=ATX, strip=["a", "img"], bullets="-", escape_asterisks=False, escape_underscores=False
    )
    return first + str(converter.convert_soup(page)).strip() + "\n"
