"""A cap on files per minute, with a real broker."""

from workers.broker.rate_limit import RateLimit


def test_leave_is_given_once_per_file_to_all_workers_together(client):
    one, other = RateLimit(client), RateLimit(client)
    assert one.acquire(1) == 0.0
    assert 50 < other.acquire(1) <= 60
    assert 50 < one.acquire(1) <= 60


def test_a_raised_cap_does_not_wait_for_the_lower_one(client):
    limit = RateLimit(client)
    assert limit.acquire(1) == 0.0
    assert limit.acquire(600) <= 0.1


def test_no_more_leave_is_saved_up_than_for_some_seconds(client):
    limit = RateLimit(client)
    given = sum(limit.acquire(60) == 0.0 for _ in range(100))
    assert 4 <= given <= 10
