"""What real clients of the providers' APIs send, and what we send, to the same server: field by field."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import openai
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from mistralai.client import Mistral
from pydantic import SecretStr

from tasks.dispatch.client import Client
from tasks.providers.account import Account
from tasks.providers.aws import signer
from tasks.providers.protocol import Completion, Message, encode
from tests.conftest import RunJob
from tests.jobs.texts import put
from tests.providers.counterparts import KEY, TEXT, Counterparts, Sent
from tests.providers.test_counterparts import DOCUMENT, set_all, wire

ASKED = Completion(
    "mistral-small-latest", (Message("user", "Hello"), Message("assistant", "Yes"), Message("user", "More")), 64
)


def ours(parts: Counterparts, provider: str, request: Completion, signer: Any = None) -> Sent:
    """Send a request as a job does, and return what arrived."""
    account = Account(provider, parts.base(provider), None if signer else SecretStr(KEY), signer=signer)
    path, body = wire(provider).completion(request)
    url, raw = account.base_url + path, encode(body)

    async def send() -> None:
        async with Client() as client:
            await client.post(url, account.headers("POST", url, raw), raw, 10)

    asyncio.run(send())
    return parts.sent[-1]


def assert_same(mine: Sent, theirs: Sent, *headers: str) -> None:
    assert (mine.path, mine.body) == (theirs.path, theirs.body)
    for name in ("Content-Type", *headers):
        assert mine.headers[name] == theirs.headers[name], name


def as_messages(request: Completion) -> list[Any]:
    return [{"role": turn.role, "content": turn.content} for turn in request.messages]


@pytest.mark.parametrize(
    "provider", ["openai-compatible", "openrouter", "together", "deepinfra", "monster", "mistral", "apipie"]
)
def test_openai_s_own_client_sends_the_same(parts: Counterparts, provider: str) -> None:
    client = openai.OpenAI(api_key=KEY, base_url=parts.base(provider), max_retries=0)
    extra = {"routing": "price"} if provider == "apipie" else {}
    client.chat.completions.create(
        model=ASKED.model, messages=as_messages(ASKED), max_tokens=64, temperature=0.0, extra_body=extra
    )
    theirs = parts.sent[-1]
    assert_same(ours(parts, provider, ASKED), theirs, "Authorization")


@pytest.mark.parametrize("provider", ["openai-compatible", "openrouter", "together", "monster"])
def test_openai_s_own_client_sends_the_same_text_completion(parts: Counterparts, provider: str) -> None:
    client = openai.OpenAI(api_key=KEY, base_url=parts.base(provider), max_retries=0)
    client.completions.create(model="base", prompt="Once", max_tokens=64, temperature=0.0, stop=["</summary>"])
    theirs = parts.sent[-1]
    request = Completion("base", (Message("user", "Once"),), 64, stop="</summary>", base_model=True)
    assert_same(ours(parts, provider, request), theirs, "Authorization")


def test_mistral_s_own_client_sends_the_same(parts: Counterparts) -> None:
    client = Mistral(api_key=KEY, server_url=parts.base("mistral").removesuffix("/v1"))
    answer = client.chat.complete(model=ASKED.model, messages=as_messages(ASKED), max_tokens=64, temperature=0.0)
    message = answer.choices[0].message
    assert message is not None
    assert message.content == TEXT
    theirs = parts.sent[-1]
    mine = ours(parts, "mistral", ASKED)
    assert mine.path == theirs.path
    # Theirs spells out defaults.
    for turn in theirs.body["messages"]:
        turn.pop("prefix", None)
    assert mine.body == {key: value for key, value in theirs.body.items() if key != "stream"}
    assert mine.headers["Authorization"].split()[0].lower() == theirs.headers["Authorization"].split()[0].lower()


CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
    "AWS_SESSION_TOKEN": "t",
}
IDS = ["mistral.mistral-7b-instruct-v0:2", "mistral.mixtral-8x7b-instruct-v0:1", "mistral.mistral-large-2402-v1:0"]


@pytest.mark.parametrize("model", IDS)
def test_boto_s_own_client_sends_the_same_signed_byte_for_byte(
    parts: Counterparts, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=parts.base("bedrock"),
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=CREDENTIALS["AWS_SESSION_TOKEN"],
    )
    turns = [{"role": turn.role, "content": [{"text": turn.content}]} for turn in ASKED.messages]
    client.converse(modelId=model, messages=turns, inferenceConfig={"maxTokens": 64, "temperature": 0.0})
    theirs = parts.sent[-1]
    request = Completion(model, ASKED.messages, 64)
    mine = ours(parts, "bedrock", request, signer(CREDENTIALS, "us-east-1"))
    assert_same(mine, theirs, "X-Amz-Security-Token")
    assert mine.path == f"/model/{quote(model, safe='')}/converse"
    # Signed anew by botocore, for the path and the time that arrived: the same bytes.
    signed = AWSRequest(
        "POST", f"{parts.url}/bedrock{mine.path}", data=mine.raw, headers={"Content-Type": "application/json"}
    )
    signed.context["timestamp"] = mine.headers["X-Amz-Date"]
    again = SigV4Auth(Credentials(*CREDENTIALS.values()), "bedrock", "us-east-1")
    again._modify_request_before_signing(signed)
    canonical = again.canonical_request(signed)
    assert f"/bedrock/model/{quote(quote(model, safe=''), safe='')}/converse" in canonical
    signature = again.signature(again.string_to_sign(signed, canonical), signed)
    assert mine.headers["Authorization"].endswith(f"Signature={signature}")


def test_a_job_signs_with_the_credentials_of_the_environment(
    parts: Counterparts, folder: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, CREDENTIALS | {"BEDROCK_BASE_URL": parts.base("bedrock"), "AWS_REGION": "eu-west-1"})
    put(folder, "a.txt", DOCUMENT)
    ran = run_job(provider="bedrock", model="mistral-large")
    assert ran.code == 0
    (sent,) = parts.sent
    assert sent.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/bedrock/aws4_request" in sent.headers["Authorization"]
    everything = b"".join(path.read_bytes() for path in ran.output.rglob("*") if path.is_file())
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"].encode() not in everything
