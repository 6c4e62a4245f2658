"""One browser for all tests of pages on a worker."""

from collections.abc import Iterator

import pytest

from tests.browser import Browser, browsing


@pytest.fixture(scope="session")
def open_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def browser(open_browser: Browser) -> Browser:
    """The browser, with nothing kept from another test."""
    open_browser.open("about:blank")
    return open_browser
