import re

import pytest
from celery import Celery

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
    ],
)
def test_a_mistake_in_an_address_is_reported_without_its_password(url, why):
    with pytest.raises(UsageError, match=re.escape(why)) as caught:
        BrokerAddress.parse(url)
    assert "secret" not in str(caught.value)


def test_celerys_settings_say_where_sentinels_and_rabbitmq_keep_what():
    settings = BrokerAddress.parse("sentinel://:pw@a:1;sentinel://b:2/3?master_name=m&sentinel_password=x").celery()
    assert settings["broker_url"] == settings["result_backend"] == "sentinel://:pw@a:1;sentinel://b:2/3"
    assert settings["broker_transport_options"] == {"master_name": "m", "sentinel_kwargs": {"password": "x"}}
    settings = BrokerAddress.parse("amqp://a:b@rabbit//;redis://host/0").celery()
    assert (settings["broker_url"], settings["result_backend"]) == ("amqp://a:b@rabbit//", "redis://host/0")


def test_tls_asks_for_a_certificate_unless_the_address_says_otherwise():
    assert BrokerAddress.parse("rediss://host/0").celery()["broker_url"] == "rediss://host/0?ssl_cert_reqs=required"
    settings = BrokerAddress.parse("rediss://host/0?ssl_cert_reqs=none").celery()
    assert settings["broker_url"] == "rediss://host/0?ssl_cert_reqs=none"
