import re
from urllib.parse import quote

import pytest
from celery import Celery
from kombu import Connection

from pipeline.errors import BrokerError, UsageError
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.processes.cluster import local_cluster


@pytest.mark.parametrize("url", ["localhost", "http://localhost", "redis://", "amqp://localhost", "redis://h:port/0"])
def test_what_is_no_broker_address_is_refused_by_name(url):
    with pytest.raises(UsageError, match=r"broker .*give redis://"):
        BrokerAddress.parse(url)


def test_a_password_is_never_printed():
    address = BrokerAddress.parse("redis://user:secret@host:6379/2")
    assert address.without_password == "redis://user:***@host:6379/2"


def test_celery_and_its_backend_find_a_socket_in_a_folder_with_an_odd_name(tmp_path):
    home = tmp_path / "it's 100% music"
    (home / "logs").mkdir(parents=True)
    with local_cluster(home, None, 0) as running:
        app = Celery(broker=running.broker.url, backend=running.broker.url)
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=0)
        app.backend.client.set("key", "value")
        assert running.broker.client().get("key") == "value"


def test_a_broker_that_does_not_answer_is_named_with_the_mend():
    with pytest.raises(BrokerError, match=r"broker redis://127.0.0.1:1/0: .*is it running"):
        health.require(BrokerAddress.parse("redis://127.0.0.1:1/0"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rediss://:p%40ss@host:6380/1", "rediss://:***@host:6380/1"),
        ("redis://user:a/b:c@host/0", "redis://user:***@host/0"),
        ("sentinel://:one@a:1;sentinel://:two@b:2/0?master_name=m&sentinel_password=three",
         "sentinel://:***@a:1;sentinel://:***@b:2/0?master_name=m&sentinel_password=***"),
        ("amqp://me:one@rabbit:5672//;redis://:two@host/0", "amqp://me:***@rabbit:5672//;redis://:***@host/0"),
    ],
)  # fmt: skip
def test_no_password_of_any_form_is_printed(url, words):
    assert BrokerAddress(url=url).without_password == words


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqp://guest:secret@rabbit//", "need a Redis or Valkey beside it"),
        ("sentinel://:secret@a:26379", "which server the Sentinels shall name"),
        ("redis://:secret@a/0;redis://b/0", "more than one server"),
        ("rediss://:secret@a/0?ssl_ca_certs=/nowhere", "/nowhere is no file"),
        ("rediss://:secret@a/0?ssl_cert_reqs=maybe", "none of required, optional, none"),
        ("redis://u:sec/secret@h:x/0", "not an address"),
        ("redis://:secret@a/songs", "not an address"),
    ],
)
def test_a_mistake_in_an_address_is_reported_without_its_password(url, why):
    with pytest.raises(UsageError, match=re.escape(why)) as caught:
        BrokerAddress.parse(url)
    assert "secret" not in str(caught.value)


def test_celerys_settings_say_where_sentinels_and_rabbitmq_keep_what():
    settings = BrokerAddress.parse("sentinel://:pw@a:1;sentinel://b:2/3?master_name=m&sentinel_password=x").celery()
    assert settings["broker_url"] == settings["result_backend"] == "sentinel://:pw@a:1/3;sentinel://b:2/3"
    assert settings["broker_transport_options"] == {"master_name": "m", "sentinel_kwargs": {"password": "x"}}
    address = BrokerAddress.parse("sentinel://:pw@a:1;sentinel://b:2/3?master_name=m")
    assert address.client().connection_pool.connection_kwargs["db"] == 3
    assert Connection(address.celery()["broker_url"]).virtual_host == "3"
    assert Celery(backend=address.celery()["result_backend"]).backend.connparams["db"] == 3
    settings = BrokerAddress.parse("amqp://a:b@rabbit//;redis://host/0").celery()
    assert (settings["broker_url"], settings["result_backend"]) == ("amqp://a:b@rabbit//", "redis://host/0")


def test_tls_asks_for_a_certificate_unless_the_address_says_otherwise():
    assert BrokerAddress.parse("rediss://host/0").celery()["broker_url"] == "rediss://host/0?ssl_cert_reqs=required"
    settings = BrokerAddress.parse("rediss://host/0?ssl_cert_reqs=none").celery()
    assert settings["broker_url"] == "rediss://host/0?ssl_cert_reqs=none"


ESCAPES = "write characters such as @ : / ? # [ ] % in a password as %40 %3A %2F %3F %23 %5B %5D %25"


@pytest.mark.parametrize(
    "url",
    [
        "redis://:p@ss:w/or#d%[x]?@127.0.0.1:17379/0",
        "redis://:se/cret@h/0",
        "redis://me:se#cret@h/0",
        "rediss://me:se?cret@h/0",
        "redis://:se[cret@h/0",
        "sentinel://:se/cret@a:1;sentinel://b/0?master_name=m",
        "sentinel://a:1;sentinel://:se#cret@b/0?master_name=m",
        "sentinel://a:1/0?master_name=m&sentinel_password=se&cret",
        "amqp://me:se/cret@r//;redis://h/0",
        "amqp://me:x@r//;redis://:se/cret@h/0",
        "redis+socket://:se#cret@/run/valkey.sock",
        # read as a host and a port, these would send and show a part of the password
        "redis://admin:12/secret@h:6379/0",
        "redis://admin:12?secret@h:6379/0",
        "redis://admin:12?a=secret@h:6379/0",
        "redis://admin:12#secret@h:6379/0",
        "redis://:p@secret/x@h:6379/0",
        "redis://:p@secret?x@h:6379/0",
        "amqp://me:12/secret@r//;redis://h/0",
        "redis://:se\tcret@h/0",
    ],
)
def test_an_address_that_its_password_breaks_is_refused_with_the_codes(url):
    with pytest.raises(UsageError, match=r"^broker .*: not an address; give redis://") as caught:
        BrokerAddress.parse(url)
    assert str(caught.value).endswith(f"; {ESCAPES}")
    assert caught.value.__cause__ is caught.value.__context__ is None
    for part in ("secret", "cret", "p@ss", "w/or", "12"):
        assert part not in str(caught.value).partition("not an address")[0].replace("127.0.0.1", "")


def test_an_address_that_its_password_does_not_break_says_nothing_of_codes():
    for url in ("redis://:secret@h:port/0", "localhost", "redis://"):
        with pytest.raises(UsageError) as caught:
            BrokerAddress.parse(url)
        assert ESCAPES not in str(caught.value)


ODD = "p@ss:w/or#d%[x]?&+; é%41"


@pytest.mark.parametrize(
    "form",
    [
        "redis://:{}@host:1/3",
        "redis://{}:{}@[::1]/3",
        "amqp://{}:{}@rabbit//;redis://h/0",
    ],
)
def test_kombu_and_redis_read_an_odd_password_as_we_do(form):
    words = [quote(ODD, safe="")] * form.count("{}")
    address = BrokerAddress.parse(form.format(*words))
    assert ODD[:4] not in address.without_password
    assert Connection(address.celery()["broker_url"]).password == ODD
    if address.amqp is None:
        assert address.client().connection_pool.connection_kwargs["password"] == ODD
        assert Celery(backend=address.celery()["result_backend"]).backend.connparams["password"] == ODD


@pytest.mark.parametrize("password", ["a@b", "a:b", "a;b", "a b", "a%zz", "a+b", "a&b", "a!$'()*,=b", "aéb"])
def test_an_odd_password_that_can_be_read_is_read_by_all_alike(password):
    for form in ("redis://:{}@host/0", "rediss://me:{}@host/0", "amqp://me:{}@rabbit//;redis://h/0"):
        address = BrokerAddress.parse(form.format(password))
        assert Connection(address.celery()["broker_url"]).password == password
        if address.amqp is None:
            assert address.client().connection_pool.connection_kwargs["password"] == password


def test_sentinels_have_the_password_of_the_server_and_one_of_their_own():
    words = quote(ODD, safe="")
    url = f"sentinel://:{words}@a:1;sentinel://:{words}@[::1]/0?master_name=m&sentinel_password={words}"
    address = BrokerAddress.parse(url)
    pool = address.client().connection_pool
    assert pool.connection_kwargs["password"] == ODD
    assert [each.connection_pool.connection_kwargs["password"] for each in pool.sentinel_manager.sentinels] == [ODD] * 2
    settings = address.celery()
    assert settings["broker_transport_options"]["sentinel_kwargs"] == {"password": ODD}
    assert Connection(settings["broker_url"]).password == ODD
