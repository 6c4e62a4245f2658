"""The address of a PostgreSQL database, with its password kept separately."""

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.base.errors import UserMistake

URL = re.compile(r"postgres(?:ql)?://(.*)", re.DOTALL)
# A folder has no scheme; what looks like a URL of another kind may hold a password all the same.
OTHER_URL = re.compile(r"postgres(?:ql)?:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
SECRETS = ("password", "sslpassword")
HIDDEN = "(the password)"


@dataclass(frozen=True, slots=True)
class Address:
    """A database's URL without secrets, and the secrets by libpq's names."""

    url: str
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def hidden(self, text: str) -> str:
        """Return a text, such as an error, without the secrets."""
        for secret in filter(None, self.secrets.values()):
            for spelling in (secret, urllib.parse.quote(secret, safe="")):
                text = text.replace(spelling, HIDDEN)
        return text


def is_url(place: str, option: str = "--state", variable: str = "DOCMILL_STATE") -> bool:
    """Whether a place is a database's URL, and no folder. Raises UserMistake for a URL of another kind."""
    if URL.match(place):
        return True
    if OTHER_URL.match(place):
        # The message doesn't quote the value: it may hold a password.
        raise UserMistake(f"{option} (or {variable}) takes a folder or a postgresql:// URL, and got another URL")
    return False


def address_of(url: str, default: str | None = None) -> Address:
    """Separate a URL from its password, which is taken from `user:password@`, else the query, else the default."""
    found = URL.match(url)
    rest = found[1] if found else ""
    # An @ further on would be written %40: whatever stands before the last one may be a password.
    login, at, place = rest.rpartition("@")
    user, colon, password = login.partition(":")
    place, mark, query = place.partition("?")
    words = urllib.parse.parse_qsl(query, keep_blank_values=True)
    inside = {name: value for name, value in words if name.lower() in SECRETS}
    secrets = ({"password": default} if default else {}) | inside
    if colon:
        secrets["password"] = urllib.parse.unquote(password)
    kept = urllib.parse.urlencode([word for word in words if word[0] not in inside], quote_via=urllib.parse.quote)
    return Address(f"postgresql://{user}{at}{place}{mark if kept else ''}{kept}", secrets)


def require_no_password(place: str, option: str = "--state", variable: str = "DOCMILL_STATE") -> None:
    """Raise UserMistake where a place that is kept with the job, and seen in Prefect, holds a password."""
    if is_url(place, option, variable) and address_of(place).secrets:
        raise UserMistake(
            f"{option} holds a password, and would be kept with the job: take it out, and set PGPASSWORD or ~/.pgpass, "
            f"or set {variable} to the whole URL instead"
        )
