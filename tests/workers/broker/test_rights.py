"""What a broker must allow, tried with real servers and users: the check fails where work would, and only there."""

import threading

import brokers
import pytest
import redis
from conditions import eventually

from pipeline.errors import BrokerError
from workers.broker import health, rights
from workers.broker.address import BrokerAddress
from workers.broker.rights import RIGHTS

pytestmark = pytest.mark.slow

KEYS = ("chordal:", "extract", "store", "tune", "train", "schedule", "unacked", "_kombu.binding", "celery", "*.pidbox")
"""How the keys of work begin; `*` stands for anything before it."""

ALL_BUT_DANGEROUS = ("~*", "&*", "+@all", "-@dangerous")


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The port of a server with users."""
    with brokers.valkey(tmp_path_factory.mktemp("server")) as port:
        yield port


def check(port: int, *rules: str, database: int = 0) -> str:
    """Check a server for a user with some rights; return the reason it is refused for, or nothing."""
    brokers.set_user(port, "limited", *rules)
    try:
        health.require(BrokerAddress.parse(f"redis://limited:secret@127.0.0.1:{port}/{database}"))
    except BrokerError as error:
        before, reason = f"broker redis://limited:***@127.0.0.1:{port}/{database}: ", str(error)
        assert reason.startswith(before)
        assert "\n" not in reason
        return reason.removeprefix(before)
    return ""


@pytest.mark.parametrize("database", [0, 3])
def test_the_rights_that_are_asked_for_are_enough(port, database):
    assert " ".join(ALL_BUT_DANGEROUS) == RIGHTS
    assert check(port, *ALL_BUT_DANGEROUS, database=database) == ""


def test_a_user_who_may_use_some_keys_of_work_is_told_one_of_the_others(port):
    assert check(port, "~chordal:*", "&*", "+@all") == f"the user may not use the key extract; it needs {RIGHTS}"
    for missing in KEYS:
        patterns = [f"~{start}*" for start in KEYS if start != missing]
        reason = check(port, *patterns, "&*", "+@all")
        named = reason.removeprefix("the user may not use the key ").removesuffix(f"; it needs {RIGHTS}")
        assert missing.strip("*") in named or missing == "chordal:", reason
        assert reason.endswith(f"it needs {RIGHTS}")


@pytest.mark.parametrize("rules", [("%R~*",), ("%W~*",), ("%R~*", "~chordal:*"), ("%W~*", "~chordal:*")])
def test_a_user_who_may_only_read_or_only_write_is_refused(port, rules):
    assert check(port, *rules, "&*", "+@all").endswith(f"it needs {RIGHTS}")


@pytest.mark.parametrize(
    ("channels", "named"),
    [
        (("resetchannels",), "use the channel /0.celery.pidbox"),
        (("resetchannels", "&/0.celery.pidbox"), "use the channel /0.celeryev/worker.heartbeat"),
        (("resetchannels", "&/0.celeryev/*", "&celery-task-meta-*"), "use the channel /0.celery.pidbox"),
        (("resetchannels", "&/0.celery*"), "use the channel celery-task-meta-"),
        # a pattern lets a user publish to what it matches, but not subscribe with another pattern
        (("resetchannels", "&/0.celery*", "&celery*"), "subscribe to the channels /0.celery.pidbox"),
    ],
)
def test_a_user_without_the_channels_of_work_is_told_one(port, channels, named):
    reason = check(port, "~*", *channels, "+@all")
    assert reason.startswith(f"the user may not {named}")
    assert reason.endswith(f"; it needs {RIGHTS}")


def test_less_is_needed_beside_a_rabbitmq_which_has_the_queues(port):
    brokers.set_user(port, "beside", "~chordal:*", "~celery*", "resetchannels", "&celery*", "+@all")
    with BrokerAddress.parse(f"redis://beside:secret@127.0.0.1:{port}/0").client(retries=0) as client:
        rights.try_work(client, carries_tasks=False)
        with pytest.raises(rights.RefusalError, match="use the key extract"):
            rights.try_work(client, carries_tasks=True)


def test_each_command_of_work_is_missed_by_name(port):
    commands = {str(command[0]) for command in rights._TRANSACTION}
    commands |= {"EVALSHA", "MULTI", "EXEC", "WATCH", "PUBLISH", "PSUBSCRIBE", "TIME", "HSETNX", "HKEYS", "HEXISTS"}
    commands |= {"ZSCORE", "ZCOUNT", "ZRANGEBYSCORE", "ZREMRANGEBYSCORE", "SISMEMBER"}
    for command in sorted(commands):
        assert check(port, "~*", "&*", "+@all", f"-{command}") == f"the user may not run {command}; it needs {RIGHTS}"
    assert check(port, "~*", "&*", "+@all", "-script").startswith("the user may not run SCRIPT LOAD;")
    assert check(port, "~*", "&*", "+@all", "-select", database=2).startswith("the user may not run SELECT;")
    assert check(port, "~*", "&*", "-@all").startswith("the user may not run ")


def test_the_check_leaves_the_messages_of_work_alone(port):
    # given messages that wait and are with a worker, and one who listens to the workers' events
    with redis.Redis(port=port, decode_responses=True) as client, client.pubsub() as events:
        client.flushall()
        client.rpush("extract", "one", "two")
        client.hset("unacked", "tag", "three")
        before = {key: client.dump(key) for key in client.scan_iter()}
        events.psubscribe("/0.*")
        assert events.get_message(timeout=10)["type"] == "psubscribe"
        # when the broker is checked while a worker waits for tasks
        taken: list[object] = []
        with redis.Redis(port=port) as worker:
            thread = threading.Thread(target=lambda: taken.append(worker.brpop(["tune", "store"], 1)))
            thread.start()
            eventually(lambda: client.info("clients")["blocked_clients"] == 1)
            assert check(port, *ALL_BUT_DANGEROUS) == ""
            thread.join(30)
        # then it got nothing, all is as it was, and what was published has no content
        assert taken == [None]
        eventually(lambda: not client.exists("chordal:probe"))
        assert {key: client.dump(key) for key in client.scan_iter()} == before
        messages = iter(lambda: events.get_message(timeout=0.2), None)
        assert {message["data"] for message in messages} == {""}
        client.flushall()


def test_a_refused_check_leaves_nothing_behind(port):
    with redis.Redis(port=port, decode_responses=True) as client:
        client.flushall()
        assert check(port, "~*", "&*", "+@all", "-sismember", "-psubscribe")
        eventually(lambda: client.keys() == [])


def test_a_database_with_something_else_under_a_queues_name(port):
    with redis.Redis(port=port, db=5) as client:
        client.set("train", "somebody else's")
        assert check(port, *ALL_BUT_DANGEROUS, database=5).startswith("its key train is no queue")
        client.delete("train")


def refusal(port: int, database: int = 0) -> str:
    """Return why a server is refused."""
    with pytest.raises(BrokerError) as caught:
        health.require(BrokerAddress.parse(f"redis://127.0.0.1:{port}/{database}"))
    return str(caught.value)


def test_a_cluster_is_named_as_one_in_whatever_state(tmp_path):
    with brokers.valkey(tmp_path, cluster_enabled="yes") as port:
        for database in (0, 3):
            assert "it is a cluster; name a single server" in refusal(port, database)
        with redis.Redis(port=port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            eventually(
                lambda: client.info("cluster") and client.execute_command("CLUSTER INFO")["cluster_state"] == "ok"
            )
        for database in (0, 3):
            assert "it is a cluster; name a single server" in refusal(port, database)


def test_commands_that_work_does_not_use_may_be_renamed_away(tmp_path):
    away = dict.fromkeys(("EVAL", "INFO", "CONFIG", "KEYS", "FLUSHALL", "FLUSHDB", "DEBUG", "SHUTDOWN"), "")
    with brokers.valkey(tmp_path, rename_command=away) as port:
        health.require(BrokerAddress.parse(f"redis://127.0.0.1:{port}/0"))


@pytest.mark.parametrize("command", ["EVALSHA", "BRPOP", "PUBLISH", "MULTI"])
def test_a_command_that_work_uses_and_the_server_does_not_know(tmp_path, command):
    with brokers.valkey(tmp_path, rename_command={command: ""}) as port:
        assert f"it does not know {command}; a Valkey, or a Redis since 6.2, has it" in refusal(port)


def test_a_command_that_scripts_of_work_call_and_the_server_does_not_know(tmp_path):
    with brokers.valkey(tmp_path, rename_command={"HEXISTS": ""}) as port:
        assert "it does not know a command that scripts of work call; a Valkey, or a Redis since 6.2" in refusal(port)


def test_a_server_that_takes_no_more_connections(tmp_path):
    with brokers.valkey(tmp_path, maxclients="1") as port, redis.Redis(port=port) as client:
        eventually(client.ping, ignoring=(redis.RedisError,))
        assert "it takes no more connections; raise its maxclients" in refusal(port)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-LOADING Redis is loading the dataset in memory", "still reading its data"),
        ("-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "it is a replica"),
        ("-READONLY You can't write against a read only replica.", "it is a replica"),
        ("-NOREPLICAS Not enough good replicas to write.", "too few replicas follow it"),
        ("-MISCONF Errors writing to the AOF file: No space left on device", "cannot write to its disk"),
        ("-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", "SCRIPT KILL"),
        ("-DENIED Redis is running in protected mode because protected mode is enabled", "protected mode"),
        ("-ERR max number of clients reached", "maxclients"),
        ("-OOM command not allowed when used memory > 'maxmemory'.", "its memory is full"),
        ("-ERR unknown command `HELLO`, with args beginning with: `3`, ", "it does not know HELLO; a Valkey, or a"),
        ("-ERR unsupported command 'hello'", "it does not know HELLO"),
        ("-MOVED 3999 127.0.0.1:6381", "it is a cluster; name a single server"),
        ("-ASK 3999 127.0.0.1:6381", "it is a cluster; name a single server"),
        ("-CLUSTERDOWN Hash slot not served", "it is a cluster; name a single server"),
        ("-CROSSSLOT Keys in request don't hash to the same slot", "it is a cluster; name a single server"),
        ("-ERR SELECT is not allowed in cluster mode", "it is a cluster; name a single server"),
        ("-ERR script tried accessing undeclared key", "allow-undeclared-keys"),
        # as Redis 6 says it
        ("-NOPERM this user has no permissions to run the 'brpop' command or its subcommand", "may not run BRPOP"),
        ("-NOPERM this user has no permissions to access one of the keys used as arguments", "may not use all keys"),
        ("-NOPERM this user has no permissions to access one of the channels used as arguments", "all channels"),
        ("-NOPERM No permissions to access database", "may not use this database"),
    ],
)
def test_what_servers_say_is_told_with_the_mend(line, words):
    with brokers.answering(line) as port:
        assert words in refusal(port)


def test_a_server_that_is_stopped_is_told_from_one_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(health, "TIMEOUT_S", 0.3)
    with brokers.valkey(tmp_path) as port, redis.Redis(port=port) as client:
        client.client_pause(60_000)
        assert "it takes connections, but does not answer" in refusal(port)
