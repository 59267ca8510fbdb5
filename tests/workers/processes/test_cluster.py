"""The broker and workers of one run."""

from workers.broker.address import BrokerAddress
from workers.processes.cluster import local_cluster


def test_with_a_broker_of_the_users_nothing_is_started_or_asked(tmp_path):
    broker = BrokerAddress(url="redis://127.0.0.1:1/0")  # nobody answers there
    with local_cluster(tmp_path, broker, None) as running:
        assert running.broker == broker
        assert running.children == ()
        assert not running.has_workers
