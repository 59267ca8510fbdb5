"""What workers write of themselves, with a real broker."""

from conditions import eventually

from workers.broker.heartbeats import Crew, Presence


def test_workers_that_tell_of_themselves_are_known_until_they_leave(client):
    crew = Crew(client)
    presence = Presence(name="extract@here", host="here", processes=2, queues=("extract", "store"))
    crew.tell(presence)
    crew.tell(presence.replace(name="learn@here", doing="paused"))
    first, second = crew.workers()
    assert (first.name, first.alive, second.doing) == ("extract@here", True, "paused")
    crew.leave("extract@here")
    client.pexpire("chordal:worker:learn@here", 3_000_000)
    [silent] = crew.workers()
    assert not silent.alive
    client.pexpire("chordal:worker:learn@here", 1)
    eventually(lambda: crew.workers() == [])
