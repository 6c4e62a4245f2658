import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from tasks.base.errors import UserMistake
from tasks.base.settings import Settings
from tasks.models.catalogue import load_catalogue
from tasks.planning.accounts import account_with, available
from tasks.providers.account import Account, account_of
from tasks.providers.aws import region_of, signer
from tasks.providers.protocol import Reply

KEY = "sk-very-secret"
URL = "http://127.0.0.1:8000/v1"


def compatible(environment: dict[str, str]) -> Account:
    return account_of(
        "openai-compatible",
        key_variable="OPENAI_API_KEY",
        base_url=None,
        base_url_variable="OPENAI_BASE_URL",
        environment=environment,
    )


def apipie(environment: dict[str, str], block: str | None = None) -> Account:
    return account_of(
        "apipie",
        key_variable="APIPIE_API_KEY",
        base_url="https://apipie.ai/v1",
        base_url_variable="APIPIE_BASE_URL",
        environment=environment,
        keys=lambda provider: block if provider == "apipie" else None,
    )


def test_an_account_never_shows_its_key() -> None:
    account = compatible({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": URL})
    for shown in (repr(account), str(account), f"{account}", repr([account]), repr(account.key)):
        assert KEY not in shown
    assert URL in repr(account)


def test_the_key_goes_into_the_headers_alone() -> None:
    account = compatible({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": URL})
    assert account.headers("POST", URL) == {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    assert Account("local", URL).headers("GET", URL) == {"Content-Type": "application/json"}


def test_what_an_answer_depends_on_is_the_url_or_what_stands_for_it() -> None:
    assert Account("apipie", URL).endpoint == URL
    assert Account("local", URL, identity="local:model.gguf:123").endpoint == "local:model.gguf:123"


def test_a_base_url_comes_from_its_variable_or_from_the_provider() -> None:
    assert apipie({"APIPIE_API_KEY": KEY}).base_url == "https://apipie.ai/v1"
    assert apipie({"APIPIE_API_KEY": KEY, "APIPIE_BASE_URL": f" {URL}/ "}).base_url == URL
    assert apipie({"APIPIE_API_KEY": KEY, "APIPIE_BASE_URL": " "}).base_url == "https://apipie.ai/v1"


@pytest.mark.parametrize("environment", [{}, {"OPENAI_API_KEY": KEY}, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "  "}])
def test_a_missing_base_url_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(UserMistake, match="openai-compatible needs its base URL: set OPENAI_BASE_URL"):
        compatible(environment)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://somewhere", "/v1", KEY])
def test_a_base_url_that_is_none_is_named_by_its_variable_and_not_told(url: str) -> None:
    with pytest.raises(UserMistake, match="OPENAI_BASE_URL holds no base URL") as refused:
        compatible({"OPENAI_API_KEY": "another", "OPENAI_BASE_URL": url})
    assert url not in str(refused.value)


@pytest.mark.parametrize("value", ["", "  \n"])
def test_a_missing_key_is_named(value: str) -> None:
    with pytest.raises(UserMistake, match=r"apipie needs a key: set APIPIE_API_KEY in the environment or in a \.env"):
        apipie({"APIPIE_API_KEY": value})
    with pytest.raises(UserMistake, match=r"set OPENAI_API_KEY \(any word will do"):
        compatible({"OPENAI_API_KEY": value, "OPENAI_BASE_URL": URL})


def test_a_key_may_come_from_elsewhere_but_the_environment_wins() -> None:
    block = apipie({}, "from-a-block")
    assert block.key is not None
    assert block.key.get_secret_value() == "from-a-block"
    both = apipie({"APIPIE_API_KEY": f" {KEY}\n"}, "from-a-block")
    assert both.key is not None
    assert both.key.get_secret_value() == KEY


def test_a_provider_that_wants_no_key_gets_none() -> None:
    account = account_of("local", key_variable=None, base_url=URL, base_url_variable=None, environment={})
    assert account == Account("local", URL)


def test_a_dotenv_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(
        "DOCMILL_TEST_ONE=from-file\nDOCMILL_TEST_TWO='quoted # word'  # a comment\nDOCMILL_TEST_EMPTY=\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("DOCMILL_TEST_ONE", "from-environment")
    monkeypatch.delenv("DOCMILL_TEST_TWO", raising=False)
    monkeypatch.delenv("DOCMILL_TEST_EMPTY", raising=False)
    found = Settings.read(folder=tmp_path)
    assert found["DOCMILL_TEST_ONE"] == "from-environment"
    assert found["DOCMILL_TEST_TWO"] == "quoted # word"
    assert "DOCMILL_TEST_EMPTY" not in found


def test_the_dotenv_file_beside_the_user_is_read_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DOCMILL_TEST_HERE=yes\n", encoding="utf-8")
    monkeypatch.delenv("DOCMILL_TEST_HERE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert Settings.read()["DOCMILL_TEST_HERE"] == "yes"


def test_no_value_stands_in_their_repr() -> None:
    settings = Settings({"MISTRAL_API_KEY": "sk-very-secret", "DOCMILL_STATE": " there "})
    assert "secret" not in f"{settings!r} {settings}"
    assert (settings.word("DOCMILL_STATE"), settings.word("DOCMILL_LOG"), settings.word(None)) == ("there", "", "")


def test_without_a_dotenv_file_the_environment_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_TEST_ONE", "here")
    assert Settings.read(folder=tmp_path)["DOCMILL_TEST_ONE"] == "here"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://user:hunter2@127.0.0.1/v1"}, "a user and password"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://"}, "names no host"),
        ({"OPENAI_API_KEY": "two\nlines", "OPENAI_BASE_URL": URL}, "a line break"),
    ],
)
def test_what_can_t_work_is_refused_without_being_shown(values: dict[str, str], said: str) -> None:
    with pytest.raises(UserMistake) as refused:
        compatible(values)
    assert said in str(refused.value)
    assert not any(secret in str(refused.value) for secret in ("hunter2", "two", KEY))


@pytest.mark.parametrize("echo", [lambda key: key, lambda key: key.replace("/", "\\/")])
def test_a_key_that_an_error_repeats_in_json_s_own_spelling_is_masked(echo: Callable[[str], str]) -> None:
    key = "abcdefgh/ijklmnop+qrst/uvwx"
    account = Account("bedrock", URL, SecretStr(key))
    body = f'{{"message": "bad key {echo(key)}"}}'.encode()
    hidden = account.hidden(Reply(403, {}, body))
    assert key not in json.loads(hidden.body)["message"]


def test_a_signed_request_s_credentials_are_masked_and_in_no_repr() -> None:
    credentials = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t/key",
        "AWS_SESSION_TOKEN": "tok3n",
    }
    account = Account("bedrock", URL, signer=signer(credentials, "us-east-1"))
    hidden = account.hidden(Reply(403, {}, b'{"message": "AKIDEXAMPLE x-amz-security-token:tok3n"}'))
    assert b"AKID" not in hidden.body
    assert b"tok3n" not in hidden.body
    assert not any(value in repr(account) + repr(account.signer) for value in credentials.values())


@pytest.mark.parametrize("values", [{"AWS_PROFILE": "nonexistent"}, {"AWS_ACCESS_KEY_ID": "AKIAX"}])
def test_half_set_aws_credentials_are_the_users_mistake_and_no_other_provider_s(
    values: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    for name, value in (values | {"AWS_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)
    settings = Settings.read()
    assert "bedrock" not in available(load_catalogue(), settings)
    with pytest.raises(UserMistake, match="AWS credentials"):
        account_with(load_catalogue().provider("bedrock"), settings)


@pytest.mark.parametrize(("region", "said"), [("", "AWS_REGION"), ("us east", "holds no region")])
def test_bedrock_needs_a_region(region: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserMistake, match=said):
        region_of({"AWS_REGION": region})
