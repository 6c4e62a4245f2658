from pathlib import Path

import pytest

from tasks.errors import UserMistake
from tasks.providers.account import Account, account_of, read_environment

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
    assert Account("apipie", URL).place == URL
    assert Account("local", URL, identity="local:model.gguf:123").place == "local:model.gguf:123"


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
    found = read_environment(tmp_path)
    assert found["DOCMILL_TEST_ONE"] == "from-environment"
    assert found["DOCMILL_TEST_TWO"] == "quoted # word"
    assert "DOCMILL_TEST_EMPTY" not in found


def test_the_dotenv_file_beside_the_user_is_read_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DOCMILL_TEST_HERE=yes\n", encoding="utf-8")
    monkeypatch.delenv("DOCMILL_TEST_HERE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert read_environment()["DOCMILL_TEST_HERE"] == "yes"


def test_without_a_dotenv_file_the_environment_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_TEST_ONE", "here")
    assert read_environment(tmp_path)["DOCMILL_TEST_ONE"] == "here"
