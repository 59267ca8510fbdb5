"""Kombu's Redis transport with clients that last."""

import brokers

from workers.app.celery import app


def test_a_channel_keeps_one_client_until_its_connections_are_others(tmp_path):
    with (
        brokers.valkey(tmp_path) as port,
        app.connection_for_write(f"redis://127.0.0.1:{port}/0") as connection,
    ):
        channel = connection.channel()
        with channel.conn_or_acquire() as first, channel.conn_or_acquire() as again:
            assert first is again
            assert first.ping()
        channel._disconnect_pools()  # as after a fork, or a connection that was lost
        with channel.conn_or_acquire() as later:
            assert later is not first
            assert later.ping()
