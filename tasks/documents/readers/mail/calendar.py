"""An invitation (iCalendar, RFC 5545) in words."""

import regex

FOLD = regex.compile(r"\r?\n[ \t]")
LINE = regex.compile(r"([A-Za-z-]+)((?:;[^:\"]*+(?:\"[^\"]*+\"[^:\"]*+)*+)?):(.*)")
SHOWN = {
    "METHOD": "Method", "SUMMARY": "Summary", "DTSTART": "Start", "DTEND": "End", "DUE": "Due", "DURATION": "Duration",
    "LOCATION": "Location", "ORGANIZER": "Organizer", "ATTENDEE": "Attendee", "STATUS": "Status",
    "RRULE": "Repeats", "DESCRIPTION": "Description", "COMMENT": "Comment", "URL": "URL",
}  # fmt: skip
ITEMS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")
TIME = regex.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
ESCAPED = regex.compile(r"\\([\\;,nN])")
COMMON_NAME, ZONE = regex.compile(r";CN=\"?([^\";]+)", regex.IGNORECASE), regex.compile(r";TZID=\"?([^\";]+)")


def summary(text: str) -> str:
    """Return what a calendar's events say, a line each property; alarms and time zones are left out."""
    lines: list[str] = []
    within: list[str] = []
    for line in FOLD.sub("", text).splitlines():
        match = LINE.match(line)
        if not match:
            continue
        name, parameters, value = match[1].upper(), match[2], match[3]
        if name == "BEGIN":
            within.append(value.strip().upper())
            lines += [""] if within[-1] in ITEMS and lines else []
        elif name == "END":
            within = within[:-1]
        elif name in SHOWN and value.strip() and (within[-1:] == ["VCALENDAR"] or set(within[-1:]) & set(ITEMS)):
            lines.append(f"{SHOWN[name]}: {_said(parameters, value)}")
    return "\n".join(lines)


def _said(parameters: str, value: str) -> str:
    text = ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value.strip())
    if time := TIME.fullmatch(text):
        year, month, day, hour, minute, utc = time.groups()
        zone = ZONE.search(parameters)
        text = f"{year}-{month}-{day}" + (f" {hour}:{minute}" if hour else "")
        return text + (" UTC" if utc else f" {zone[1]}" if zone else "")
    address = regex.sub("(?i)^mailto:", "", text)
    name = COMMON_NAME.search(parameters)
    return f"{name[1]} <{address}>" if name and name[1] != address else address
