"""An account: a key at a provider, and the base URL that requests go to."""

import hashlib
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pydantic import SecretStr

from tasks.base.errors import UserMistake
from tasks.base.settings import Keys, no_keys
from tasks.providers.aws import Signer, region_of, signer
from tasks.providers.protocol import Reply

SECRET_LENGTH = 16
REGION = "{AWS_REGION}"


@dataclass(frozen=True, slots=True)
class Account:
    """Where a provider is reached and with which key; its repr hides the key.

    `identity` stands for the base URL in the identity of a call where the URL
    changes from run to run, as the local server's port does. `signer` makes the headers
    where requests are signed; `extra` are headers that any request carries.
    """

    provider: str
    base_url: str
    key: SecretStr | None = None
    identity: str = ""
    signer: Signer | None = field(default=None, repr=False, compare=False)
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """The part of the address on which an answer depends."""
        return self.identity or self.base_url

    def fingerprint(self) -> str:
        """Return a name for the account that doesn't reveal the key, for state that is shared with other processes."""
        # A signature's credentials change by the hour: all in a region count as one account.
        secret = self.key.get_secret_value() if self.key else ""
        salt = json.dumps(["docmill limits", self.provider, self.base_url]).encode()
        return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=10).hex()

    def same_as(self, other: "Account") -> bool:
        """Whether it is the same account."""
        return (self.provider, self.base_url) == (other.provider, other.base_url)

    def hidden(self, reply: Reply) -> Reply:
        """Return a reply without the key, which some servers repeat in their errors."""
        body = reply.body
        for secret in self._secrets():
            # A short one is a word like `none`, which an honest answer may hold.
            if secret and (reply.status >= 300 or len(secret) >= SECRET_LENGTH):
                for spelling in _spellings(secret):
                    body = body.replace(spelling, b"(the key)")
        return reply if body is reply.body else Reply(reply.status, reply.headers, body)

    def _secrets(self) -> Sequence[str]:
        own = [self.key.get_secret_value()] if self.key else []
        return [*own, *(self.signer.secrets() if self.signer else ())]

    def headers(self, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        """Return the headers of a request, the key or a signature among them: never log them."""
        if self.signer is not None:
            return {**self.extra, **self.signer(method, url, body)}
        bearer = {"Authorization": f"Bearer {self.key.get_secret_value()}"} if self.key else {}
        return {"Content-Type": "application/json", **self.extra, **bearer}


@lru_cache(maxsize=64)
def _spellings(secret: str) -> frozenset[bytes]:
    """Return a secret as it may stand in JSON."""
    return frozenset(one.encode() for one in (secret, json.dumps(secret)[1:-1], secret.replace("/", "\\/")))


def account_of(
    provider: str,
    *,
    key_variable: str | None,
    base_url: str | None,
    base_url_variable: str | None,
    environment: Mapping[str, str],
    keys: Keys = no_keys,
    signed: bool = False,
    extra: Mapping[str, str] | None = None,
) -> Account:
    """Return a provider's account; `keys` looks up the key if the environment has none.

    With `signed`, AWS credentials serve in place of a key; `{AWS_REGION}` in the base
    URL is replaced by the region. Raises UserMistake that names a variable which isn't set
    or doesn't hold a base URL.
    """
    variable = base_url_variable or ""
    url = environment.get(variable, "").strip() or base_url
    if url and REGION in url:
        url = url.replace(REGION, region_of(environment))
    if not url:
        raise UserMistake(f"{provider} needs its base URL: set {variable} (as in http://127.0.0.1:8000/v1)")
    if not url.startswith(("http://", "https://")):
        # The message doesn't quote the value: it may be a key in the wrong place.
        raise UserMistake(f"{variable} holds no base URL: one starts with http:// or https://")
    parts = urllib.parse.urlsplit(url)
    if not parts.hostname or "@" in parts.netloc:
        raise UserMistake(
            f"{variable} holds no base URL: it names no host, or a user and password, which belong in a key"
        )
    key = environment.get(key_variable or "", "").strip() or keys(provider)
    if key and not key.isprintable():
        raise UserMistake(f"{key_variable} holds a key with a line break or another character that no header takes")
    if signed and not key:
        sign = signer(environment, region_of(environment))
        return Account(provider, url.rstrip("/"), signer=sign, extra=extra or {})
    if key_variable and not key:
        word = " (any word will do where the server asks for none)" if base_url is None else ""
        raise UserMistake(f"{provider} needs a key: set {key_variable}{word} in the environment or in a .env file")
    return Account(provider, url.rstrip("/"), SecretStr(key) if key else None, extra=extra or {})
