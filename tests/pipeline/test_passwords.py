"""Passwords in addresses, however they are written: nothing of them is ever shown."""

import string

import pytest

from pipeline.passwords import has_odd_password, without_password

FORMS = (
    "redis://:{}@host:6379/0",
    "redis://me:{}@host/0",
    "rediss://me:{}@[::1]:6380/2?ssl_cert_reqs=none",
    "sentinel://:{}@a:1;sentinel://b/0?master_name=m",
    "sentinel://:x@a:1;sentinel://:{}@b/0?master_name=m",
    "sentinel://a:1/0?master_name=m&sentinel_password={}",
    "sentinel://a:1/0?sentinel_password={}&master_name=m",
    "amqp://me:{}@rabbit//;redis://host/0",
    "amqp://me:x@rabbit/v;redis://:{}@host/0",
    "redis+socket://:{}@/run/valkey.sock",
    "http://me:{}@host:5000",
    "postgresql+psycopg2://me:{}@host/db",
    "--broker=redis://:{}@host:6379/0",
    # mistyped: without a user, without slashes, without a scheme
    "redis://{}@host/0",
    "redis:/:{}@host/0",
    ":{}@host:6379",
)
SECRET = "SeCrEt"


def passwords(character: str) -> list[str]:
    """Return passwords with an odd character at each place of them, beside digits too."""
    around = f"{SECRET}{character}{SECRET}"
    return [around, f"{character}{SECRET}", f"{SECRET}{character}", f"12{character}{SECRET}", f"{around}{character}0"]


@pytest.mark.parametrize("character", [*string.punctuation, " ", "\t", "\n", "é", "%40", "\udcff"])
def test_no_part_of_a_password_is_shown(character):
    for form in FORMS:
        for password in passwords(character):
            shown = without_password(form.format(password))
            # a colon in a word alone makes a user of what stands before it
            assert "SeCr" not in shown or (character == ":" and form == "redis://{}@host/0"), (form, password, shown)
            assert "\n" not in shown
            assert "***" in shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://me:secret@host:6379/2", "redis://me:***@host:6379/2"),
        ("redis://:p@ss:w/or#d%[x]?@127.0.0.1:17379/0", "redis://:***@127.0.0.1:17379/0"),
        ("redis://secret@host/0", "redis://***@host/0"),
        ("redis://m@e:secret?password=secret@host/0", "redis://***@e:***"),
        ("redis://m@e:secret;redis://secret@host/0", "redis://***@e:***;redis://***@host/0"),
        ("redis://me:secret", "redis://me:***"),
        ("redis://me:12/secret", "redis://me:***"),
        (
            "sentinel://a:1/0?sentinel_password=a&b&master_name=m",
            "sentinel://a:1/0?sentinel_password=***&master_name=m",
        ),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("rediss://[::1]:6380/0?ssl_ca_certs=/a.pem", "rediss://[::1]:6380/0?ssl_ca_certs=/a.pem"),
        ("redis+socket:///run/a@b/valkey.sock", "redis+socket:///run/a@b/valkey.sock"),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
        ("http://host:5000/api", "http://host:5000/api"),
        ("databricks", "databricks"),
    ],
)
def test_all_but_the_password_is_shown(address, shown):
    assert without_password(address) == shown


@pytest.mark.parametrize("password", ["pa%zz", "pa+ss", "p@ss", "p%40ss", "a b", "a/b", "a:b"])
def test_a_password_that_may_want_an_escape(password):
    assert has_odd_password(f"redis://:{password}@host/0")
    assert has_odd_password(f"redis://host/0;sentinel://a?sentinel_password={password}")


def test_a_password_that_wants_no_escape():
    assert not has_odd_password("redis://me:Plain-1_2.3~@host/0?ssl_ca_certs=/a.pem")
    assert not has_odd_password("redis://host/0")
