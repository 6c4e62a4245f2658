"""The options of the flows as tables of Markdown, as they stand in flows/README.md."""

from collections.abc import Iterator

from tasks.base.option import Option, options_of
from tasks.prompting.options import FLOWS
from tasks.terminal.flags import HEADINGS, Switches, flow_options

BEGIN, END = "<!-- options: made from the code -->", "<!-- end of options -->"


def option_tables() -> str:
    """Return a table for each heading: each option once, with its default, and the flows that have it."""
    found: dict[tuple[str, str, str], list[tuple[str, Option]]] = {}
    for flow, model in FLOWS.items():
        for option in (*flow_options(model), *options_of(Switches)):
            found.setdefault((option.flag.group, option.name, option.info.description or ""), []).append((flow, option))
    lines = [BEGIN]
    for heading in HEADINGS:
        rows = [(key, uses) for key, uses in found.items() if key[0] == heading]
        title = "Of one flow" if heading == HEADINGS[0] else heading
        lines += ["", f"**{title}**", "", "| option | meaning (default) | flows |", "|---|---|---|"]
        lines += [_row(key[1], key[2], uses) for key, uses in rows]
    return "\n".join([*lines, "", END])


def _row(name: str, description: str, uses: list[tuple[str, Option]]) -> str:
    value = _value(uses[0][1])
    return f"| `{name}{value}` | {description}{_defaults(uses)} | {_flows({flow for flow, _ in uses})} |"


def _flows(having: set[str]) -> str:
    lacking = [flow for flow in FLOWS if flow not in having]
    if len(lacking) < len(FLOWS) / 2:
        return f"all but {', '.join(lacking)}" if lacking else "all"
    return ", ".join(flow for flow in FLOWS if flow in having)


def _value(option: Option) -> str:
    if option.info.annotation is bool:
        return ""
    if option.flag.metavar:
        return " " + option.flag.metavar
    return " " + (r"\|".join(_choices(option)) or option.field.upper().replace("_", "-"))


def _choices(option: Option) -> Iterator[str]:
    """Yield the values that an option is chosen from, if it is."""
    for one in getattr(option.info.annotation, "__args__", ()):
        inner = getattr(one, "__args__", ())
        yield from (str(value) for value in (inner or (one,)) if isinstance(value, str | int))


def _defaults(uses: list[tuple[str, Option]]) -> str:
    """Return the default in brackets, or all of them where the flows' defaults differ."""
    defaults = dict.fromkeys(option.default.replace(f"output/{flow}", "output/FLOW") for flow, option in uses)
    return f" ({', '.join(one or 'none' for one in defaults)})" if any(defaults) else ""
