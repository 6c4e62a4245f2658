"""AWS's signature of requests (SigV4), by botocore's signer and the usual chain of credentials.

A path is sent exactly as it is given here, and signed as it is sent: percent-encoded once
on the wire and once more in the signature (`:` is %3A, and signed as %253A).
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tasks.errors import UserMistake

SERVICE = "bedrock"
# Where credentials can be without asking anybody on the network.
HINTS = (
    "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SHARED_CREDENTIALS_FILE",
)  # fmt: skip

# The headers of a request, given its method, URL and body.
Signer = Callable[[str, str, bytes], dict[str, str]]


def is_hinted(environment: Mapping[str, str]) -> bool:
    """Whether there seem to be credentials: the whole chain would ask the network too."""
    return any(environment.get(name) for name in HINTS) or (Path.home() / ".aws" / "credentials").exists()


def region_of(environment: Mapping[str, str]) -> str:
    """Return the region. Raises UserMistake where none is set."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region and _installed():
        region = import_module("botocore.session").get_session().get_config_variable("region")
    if not region:
        raise UserMistake("bedrock needs a region: set AWS_REGION (as in us-east-1)")
    return str(region)


def signer(environment: Mapping[str, str], region: str) -> Signer:
    """Return what signs requests. Raises UserMistake without credentials, or without botocore."""
    if not _installed():
        raise UserMistake(
            "bedrock needs AWS_BEARER_TOKEN_BEDROCK, or to sign with AWS credentials: pip install 'docmill[bedrock]'"
        )
    auth, request, credentials = (
        import_module("botocore.auth"),
        import_module("botocore.awsrequest"),
        _found(environment),
    )

    def sign(method: str, url: str, body: bytes) -> dict[str, str]:
        wanted = request.AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
        auth.SigV4Auth(credentials.get_frozen_credentials(), SERVICE, region).add_auth(wanted)
        return dict(wanted.headers.items())

    return sign


def _found(environment: Mapping[str, str]) -> Any:
    """Return the credentials of the environment (or `.env`), else those of botocore's chain."""
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        made = import_module("botocore.credentials")
        return made.Credentials(key, secret, environment.get("AWS_SESSION_TOKEN"))
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
