"""What of a page a person sees: elements, attributes and styles that hide text."""

import re
from collections.abc import Mapping

# What is never shown, or isn't text: the words in pictures, players and frames are for programs that lack those.
UNSEEN = frozenset((
    "script", "style", "template", "noscript", "object", "audio", "video", "canvas", "datalist", "rt", "rtc", "rp",
    "defs", "symbol", "metadata", "desc", "annotation-xml", "embed", "applet", "iframe",
))  # fmt: skip
NOTHING = re.compile(r"0+(?:\.0*)?(?:px|pt|em|rem|%)?")
VISIBLE = frozenset(("visible", "initial", "inherit", "unset"))
MOST_RULES = 10_000
SELECTOR = re.compile(r"([a-z][a-z0-9-]*)?([.#][A-Za-z_][\w-]*)?", re.ASCII)

Style = dict[str, str]
SHOWING: tuple[str, ...] = ("display", "visibility")


class StyleSheet:
    """The rules of a page's style sheets that hide something by one element, class or id."""

    def __init__(self) -> None:
        self.rules: dict[str, Style] = {}

    def add(self, css: str) -> None:
        """Learn the rules of a `<style>`; those within `@media` and the like are for other occasions."""
        depth = 0
        for part in _without_comments(css).split("}"):
            opened = part.split("{")
            if depth == 0 and len(opened) == 2 and not opened[0].lstrip().startswith("@"):
                self._add(opened[0], style_of(opened[1]))
            depth = max(depth + len(opened) - 2, 0)

    def _add(self, selectors: str, style: Style) -> None:
        kept: Style = {name: style[name] for name in SHOWING if name in style}
        if kept and len(self.rules) < MOST_RULES:
            for selector in map(str.strip, selectors.split(",")):
                if selector and SELECTOR.fullmatch(selector):
                    self.rules[selector] = {**self.rules.get(selector, {}), **kept}

    def style(self, tag: str, attributes: Mapping[str, str]) -> Style:
        """Return what the rules and its own `style` say of an element."""
        style: Style = {}
        if self.rules:
            names = ["." + name for name in attributes.get("class", "").split()[:50]]
            names += ["#" + attributes["id"]] if attributes.get("id") else []
            for selector in (tag, *names):
                style.update(self.rules.get(selector, {}))
                style.update(self.rules.get(tag + selector, {}) if selector != tag else {})
        if "style" in attributes:
            style.update(style_of(attributes["style"]))
        return style


def style_of(declarations: str) -> Style:
    """Return a style's properties and values, in small letters."""
    pairs = (one.partition(":") for one in declarations.lower().split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs if value}


def hidden(tag: str, attributes: Mapping[str, str], style: Style) -> bool:
    """Say whether an element isn't shown, with all that is in it."""
    if tag in UNSEEN:
        return True
    if tag == "dialog":
        return "open" not in attributes
    if "hidden" in attributes and style.get("display", "none") == "none":
        return True
    if not style:
        return False
    flat = any(NOTHING.fullmatch(style.get(name, "")) for name in ("height", "max-height", "width", "max-width"))
    return (
        style.get("display") == "none"
        or style.get("mso-hide") == "all"
        or bool(NOTHING.fullmatch(style.get("opacity", "")))
        or (flat and style.get("overflow", "") == "hidden")
    )


def seen(style: Style, *, around: bool) -> bool:
    """Say whether text is shown in an element of that style, by what holds around it: what is in it may differ."""
    shown = style.get("visibility")
    if shown is not None:
        return shown in VISIBLE
    size = style.get("font-size")
    return around if size is None else not NOTHING.fullmatch(size)


def _without_comments(css: str) -> str:
    kept, begin = [], 0
    while (start := css.find("/*", begin)) >= 0:
        kept.append(css[begin:start])
        end = css.find("*/", start + 2)
        begin = end + 2 if end >= 0 else len(css)
    return "".join([*kept, css[begin:]])
