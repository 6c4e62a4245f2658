"""AWS's signature of requests (SigV4), by botocore's signer and the usual chain of credentials.

A path is sent exactly as it is given here, and signed as it is sent: percent-encoded once
on the wire and once more in the signature (`:` is %3A, and signed as %253A).
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tasks.base.errors import AccountRefused, UserMistake

SERVICE = "bedrock"
REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
# Where credentials can be without asking anybody on the network.
HINTS = (
    "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SHARED_CREDENTIALS_FILE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests with AWS credentials; its repr shows none of them."""

    region: str
    credentials: Any = field(repr=False)

    def __call__(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """Return the headers of a request. Raises AccountRefused where the credentials can't be had any more."""
        auth, request = import_module("botocore.auth"), import_module("botocore.awsrequest")
        wanted = request.AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
        with _asking(AccountRefused):
            auth.SigV4Auth(self.credentials.get_frozen_credentials(), SERVICE, self.region).add_auth(wanted)
        return dict(wanted.headers.items())

    def secrets(self) -> list[str]:
        """Return the secret parts of the credentials, which must never be shown."""
        with _asking(AccountRefused):
            frozen = self.credentials.get_frozen_credentials()
        return [word for word in (frozen.access_key, frozen.secret_key, frozen.token) if word]


@contextlib.contextmanager
def _asking(kind: type[UserMistake | AccountRefused]) -> Iterator[None]:
    """Turn botocore's errors about credentials into an error of ours, of this kind."""
    try:
        yield
    except import_module("botocore.exceptions").BotoCoreError as error:
        raise kind(f"AWS credentials: {' '.join(str(error).split())}: mend AWS_PROFILE, or log in again") from error


def is_hinted(environment: Mapping[str, str]) -> bool:
    """Whether there seem to be credentials: the whole chain would ask the network too."""
    return any(environment.get(name) for name in HINTS) or (Path.home() / ".aws" / "credentials").exists()


def region_of(environment: Mapping[str, str]) -> str:
    """Return the region. Raises UserMistake where none is set."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region and _installed():
        with _asking(UserMistake):
            region = import_module("botocore.session").get_session().get_config_variable("region")
    if not region:
        raise UserMistake("bedrock needs a region: set AWS_REGION (as in us-east-1)")
    if not REGION.fullmatch(str(region)):
        raise UserMistake("AWS_REGION holds no region: one is written as in us-east-1")
    return str(region)


def signer(environment: Mapping[str, str], region: str) -> Signer:
    """Return what signs requests. Raises UserMistake without credentials, or without botocore."""
    if not _installed():
        raise UserMistake(
            "bedrock needs AWS_BEARER_TOKEN_BEDROCK, or to sign with AWS credentials: pip install 'docmill[bedrock]'"
        )
    return Signer(region, _found(environment))


def _found(environment: Mapping[str, str]) -> Any:
    """Return the credentials of the environment (or `.env`), else those of botocore's chain."""
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        made = import_module("botocore.credentials")
        return made.Credentials(key, secret, environment.get("AWS_SESSION_TOKEN"))
    with _asking(UserMistake):
        found = import_module("botocore.session").get_session().get_credentials()
    if found is None:
        raise UserMistake("bedrock needs AWS_BEARER_TOKEN_BEDROCK, or AWS credentials (`aws configure`, AWS_PROFILE …)")
    return found


def _installed() -> bool:
    try:
        import_module("botocore")
    except ImportError:
        return False
    return True
