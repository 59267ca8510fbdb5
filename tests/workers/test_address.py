import pytest
from celery import Celery

from pipeline.errors import BrokerError, UsageError
from workers.address import BrokerAddress
from workers.session import session


@pytest.mark.parametrize("url", ["localhost", "http://localhost", "redis://", "amqp://localhost", "redis://h:port/0"])
def test_what_is_no_broker_address_is_refused_by_name(url):
    with pytest.raises(UsageError, match=r"broker .*give redis://"):
        BrokerAddress.parse(url)


def test_a_password_is_never_shown():
    address = BrokerAddress.parse("redis://user:secret@host:6379/2")
    assert address.shown == "redis://user:***@host:6379/2"


def test_celery_and_its_backend_find_a_socket_in_a_folder_with_an_odd_name(tmp_path):
    home = tmp_path / "it's 100% music"
    (home / "logs").mkdir(parents=True)
    with session(home, None, 0) as running:
        app = Celery(broker=running.broker.url, backend=running.broker.url)
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=0)
        app.backend.client.set("key", "value")
        assert running.broker.client().get("key") == "value"


def test_a_broker_that_does_not_answer_is_named_with_the_mend():
    with pytest.raises(BrokerError, match=r"broker redis://127.0.0.1:1/0: .*is it running"):
        BrokerAddress.parse("redis://127.0.0.1:1/0").check()
