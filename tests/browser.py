"""A real browser without a screen, for the pages; tests are skipped where there is none."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

NARROW, WIDE = 380, 1440
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# What sticks out of the window, or is cut off with no way to scroll to it.
CUT_OFF = """
const within = (one) => one.closest('.scroll, .answer, .skip, [hidden]') !== null;
return [...document.querySelectorAll('body *')].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && !within(one) && !one.closest('svg') && (box.right > innerWidth + 1 || box.left < -1);
}).map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`);
"""
# Texts whose colour has less contrast than 4.5 with what lies behind them (WCAG 2, AA).
PALE = """
const numbers = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
  .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
  .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
const behind = (one) => {
  for (let at = one; at; at = at.parentElement) {
    const colour = numbers(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll('body *')].filter((one) => {
  const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !one.getClientRects().length) return false;
  const style = getComputedStyle(one);
  const text = light(numbers(one.closest('svg') ? style.fill : style.color)), ground = light(behind(one));
  return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05) < 4.5;
}).map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`);
"""


class Browser:
    """One window; whatever its console says against a page is kept."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, width: int = WIDE, *, dark: bool = False) -> None:
        """Open a page in a window of this width."""
        self.resize(width)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.complaints()
        self.driver.get(url)

    def resize(self, width: int) -> None:
        """Have a window of this width in CSS pixels, however small."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def run(self, script: str, *values: object) -> Any:
        """Run a script in the page; return what it returns."""
        return self.driver.execute_script(script, *values)

    def figures(self) -> dict[str, str]:
        """Return the page's key figures as numbers in text, by their names."""
        found: dict[str, str] = self.run(
            "return Object.fromEntries([...document.querySelectorAll('[data-figure]')]"
            ".map((one) => [one.dataset.figure, one.dataset.v ?? one.textContent]))"
        )
        return found

    def table(self, name: str) -> list[dict[str, str]]:
        """Return a table's rows: their `data-k` cells' numbers, and the words of the others by place."""
        found: list[dict[str, str]] = self.run(
            "return [...document.querySelectorAll(`#table-${arguments[0]} tbody tr`)].map((row) => Object.fromEntries("
            "[...row.cells].map((cell, at) => [cell.dataset.k ?? String(at), cell.dataset.v ?? cell.textContent])))",
            name,
        )
        return found

    def complaints(self) -> list[str]:
        """Return what the console said since it was last asked: errors, and what the policy refused."""
        entries = [*self.driver.get_log("browser"), *self._requests()]  # type: ignore[no-untyped-call]
        return [str(entry) for entry in entries]

    def _requests(self) -> list[str]:
        """Return the addresses of another place that the page asked for."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        sent = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("file:", "data:", "http://127.0.0.1:", "http://localhost:"))]

    def cut_off(self) -> list[str]:
        """Return what isn't within the window, and whether the page has to be pushed sideways."""
        wider = self.run("return document.documentElement.scrollWidth > innerWidth")
        return [*self.run(CUT_OFF), *(["the page is wider than the window"] if wider else [])]

    def pale(self) -> list[str]:
        """Return the texts of too little contrast."""
        found: list[str] = self.run(PALE)
        return found

    def shoot(self, path: Path) -> None:
        """Keep the whole page as a picture."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return innerWidth")
        size = {"width": width, "height": min(height, 12000), "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.save_screenshot(str(path))
        self.resize(width)


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """Start a browser for the block, with its profile in a folder; skip the test where there is none."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", f"user-data-dir={folder}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(driver, env=os.environ | {"HOME": str(folder)})
    opened = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(opened)
    finally:
        opened.quit()
