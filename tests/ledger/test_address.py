"""A password is parted from a URL before anybody sees it."""

import pytest

from tasks.base.errors import UserMistake
from tasks.ledger.address import Address, address_of, is_url
from tasks.prompting.options import Options

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://host/db", Address("postgresql://host/db")),
        ("postgres://user@host:5432/db", Address("postgresql://user@host:5432/db")),
        ("postgresql://user:s3cret@host/db", Address("postgresql://user@host/db", {"password": SECRET})),
        ("postgresql://user:s3%20cret@host/db", Address("postgresql://user@host/db", {"password": "s3 cret"})),
        ("postgresql://user:s3/c@re?t@host/db", Address("postgresql://user@host/db", {"password": "s3/c@re?t"})),
        ("postgresql://:s3cret@/db?host=/tmp", Address("postgresql://@/db?host=/tmp", {"password": SECRET})),
        ("postgresql://u@h1,h2:5433/db?password=s3cret", Address("postgresql://u@h1,h2:5433/db", {"password": SECRET})),
        (
            "postgresql://h/db?sslmode=require&sslpassword=s3cret",
            Address("postgresql://h/db?sslmode=require", {"sslpassword": SECRET}),
        ),
    ],
)
def test_a_url_and_what_is_secret_of_it_are_parted(url: str, expected: Address) -> None:
    found = address_of(url)
    assert (found.url.replace("%2F", "/"), found.secrets) == (expected.url, expected.secrets)
    assert "s3" not in repr(found)


def test_a_password_from_elsewhere_is_taken_where_the_url_has_none() -> None:
    assert address_of("postgresql://u@h/db", SECRET).secrets == {"password": SECRET}
    assert address_of("postgresql://u:own@h/db", SECRET).secrets == {"password": "own"}


def test_what_is_secret_is_hidden_in_any_spelling() -> None:
    address = address_of("postgresql://u:a%2Fb@h/db")
    assert address.hidden("a/b and a%2Fb") == "(the password) and (the password)"


@pytest.mark.parametrize(
    "place",
    [
        "postgresql://u:s3cret@host/db",
        "postgres://u:s3cret@host",
        "postgresql://host/db?password=s3cret",
        "postgresql:u:s3cret@host/db",
        "POSTGRESQL://u:s3cret@host/db",
        "postgresql+psycopg://u:s3cret@host/db",
        "mysql://u:s3cret@host/db",
    ],
)
def test_options_hold_no_password_and_the_mistake_doesnt_say_it(place: str) -> None:
    with pytest.raises(UserMistake, match="DOCMILL_STATE") as caught:
        Options(state=place)
    assert SECRET not in str(caught.value)


def test_folders_are_no_urls() -> None:
    assert not any(map(is_url, ("state", "/state", "./postgresql", "a:b", "postgres")))
    assert Options(state="/state").state == "/state"
    assert Options(state="postgresql://user@host/db").state == "postgresql://user@host/db"
