"""Notices are delivered to real receivers; those that hang, fail or refuse cost no more than their time limit."""

import json
import os
import signal
import subprocess
import sys
from email import message_from_bytes, policy

import psutil
import pytest
import receivers
from conditions import eventually

from workers.notices.delivery import deliver, deliver_all
from workers.notices.notice import new_notice
from workers.notices.targets import parse_target

NOTICE = new_notice(
    event="failed", title="chordal: the night failed", text="the night failed: größer", work="night", home="/home",
    run_id="r1", reason="größer", mend="smaller", tracks={"extracted": 3}, report="/home/report.html",
)  # fmt: skip


def tell(target, **limits):
    """Deliver the notice, with short pauses."""
    return deliver(parse_target(str(target)), NOTICE, **{"pause_s": 0.01, **limits})


def test_a_command_reads_json_and_has_the_chief_facts_in_its_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CHORDAL_BROKER", "redis://:secret@host/0")
    program = receivers.command(tmp_path, 'cat > "$FOLDER/json"; env > "$FOLDER/env"; echo "$1" > "$FOLDER/word"')
    found = tell(f"{program} 'two words'")
    assert (found.state, found.reason, found.event) == ("delivered", "", "failed")
    assert json.loads((tmp_path / "json").read_text()) == NOTICE.to_wire()
    assert (tmp_path / "word").read_text() == "two words\n"
    environment = (tmp_path / "env").read_text("utf-8").splitlines()
    assert {"CHORDAL_EVENT=failed", "CHORDAL_RUN=r1", "CHORDAL_TEXT=the night failed: größer"} <= {*environment}
    assert not any("secret" in line for line in environment)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo no network >&2; exit 3", "ended with status 3: no network"),
        ("exit 1", "ended with status 1"),
        ("kill -9 $$", "ended with status 137"),
        ("echo no answer >&2; exit 124", "ended with status 124: no answer"),  # as that of `timeout`
        ("exit 126", "ended with status 126"),
        ("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo the end >&2; exit 1", "the end"),
    ],
)
def test_a_command_that_fails_says_why_and_is_tried_once(tmp_path, body, reason):
    found = tell(receivers.command(tmp_path, f'echo >> "$FOLDER/runs"; {body}'))
    assert found.state == "failed"
    assert reason in found.reason
    assert (tmp_path / "runs").read_text() == "\n"


def test_a_command_that_reads_nothing_is_told(tmp_path):
    assert tell(receivers.command(tmp_path, "exit 0")).state == "delivered"


def test_a_command_that_is_gone_meanwhile_is_named(tmp_path):
    target = parse_target(str(receivers.command(tmp_path, "true")))
    (tmp_path / "alert").unlink()
    assert deliver(target, NOTICE).reason == "could not be started: No such file or directory"


@pytest.mark.parametrize(
    ("text", "words"), [("echo told", "begins with a line such as #!/bin/sh"), ("#!/no/such/shell", "first line names")]
)
def test_a_script_that_cannot_be_started_is_told_why(tmp_path, text, words):
    program = receivers.command(tmp_path, "true")
    program.write_text(text, "utf-8")
    assert words in tell(program).reason


SLEEPER = 'echo $$ >> "$FOLDER/pids"; sleep 300 & echo $! >> "$FOLDER/pids"; sleep 300'


def sleepers(folder) -> list[int]:
    """Return the processes of a command that sleeps, its child's too, that are alive."""
    file = folder / "pids"
    pids = [int(line) for line in file.read_text().split()] if file.exists() else []
    return [pid for pid in pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_command_that_hangs_is_ended_with_all_its_processes(tmp_path):
    found = tell(receivers.command(tmp_path, SLEEPER), limit_s=0.5)
    assert (found.state, found.reason) == ("failed", "did not end within 0.5 s, and was ended")
    assert len((tmp_path / "pids").read_text().split()) == 2
    eventually(lambda: not sleepers(tmp_path))


TELL = """
import sys
from workers.notices.delivery import deliver
from workers.notices.notice import new_notice
from workers.notices.targets import parse_target
deliver(parse_target(sys.argv[1]), new_notice(event="test", title="", text="", work="night", home=""))
"""


def test_a_command_that_hangs_ends_with_whoever_tells_it(tmp_path):
    program = receivers.command(tmp_path, SLEEPER)
    with subprocess.Popen([sys.executable, "-P", "-c", TELL, str(program)]) as process:
        eventually(lambda: len(sleepers(tmp_path)) == 2)
        os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not sleepers(tmp_path))


def test_a_page_is_posted_json_that_common_services_show():
    with receivers.web() as page:
        assert tell(page.url).state == "delivered"
    assert page.bodies == [{**NOTICE.to_wire(), "message": NOTICE.text, "content": NOTICE.text}]
    assert page.headers[0]["Content-Type"] == "application/json"
    assert page.headers[0]["X-Message"] == "{{.text}}"


def test_a_page_gets_the_name_and_password_of_its_url():
    with receivers.web() as page:
        assert tell(page.url.replace("//", "//me:pass%20word@")).state == "delivered"
    assert page.headers[0]["Authorization"] == "Basic bWU6cGFzcyB3b3Jk"
    assert page.headers[0]["Host"] == f"127.0.0.1:{page.port}"


def test_a_long_text_is_cut_where_a_service_takes_no_long_one():
    notice = new_notice(event="failed", title="", text="word " * 1000, work="night", home="", reason="word " * 1000)
    assert len(notice.text) <= 500
    assert notice.text.endswith("word ...")
    assert len(notice.reason) == 5000


@pytest.mark.parametrize("answers", [(500,), (503, 429)])
def test_a_page_that_fails_is_tried_again(answers):
    with receivers.web(*answers) as page:
        assert tell(page.url).state == "delivered"
    assert len(page.bodies) == len(answers) + 1


def test_a_page_that_keeps_failing_is_given_up():
    with receivers.web(500, 500, 500) as page:
        found = tell(page.url)
    assert (found.state, found.reason) == ("failed", "answered 500 Internal Server Error")
    assert len(page.bodies) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_page_that_refuses_is_not_asked_again(status):
    with receivers.web(status) as page:
        found = tell(page.url)
    assert found.state == "failed"
    assert found.reason.startswith(f"answered {status}")
    assert len(page.bodies) == 1


def test_a_page_that_never_answers_is_left_and_not_posted_to_twice():
    with receivers.web(None) as page:
        found = tell(page.url, limit_s=0.5)
    assert (found.state, len(page.bodies)) == ("failed", 1)
    assert "answer" in found.reason


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_page_that_sends_on_is_followed_with_the_notice(status):
    with receivers.web() as other, receivers.web((status, other.url)) as page:
        assert tell(page.url).state == "delivered"
    assert other.bodies == page.bodies


def test_a_page_that_has_taken_it_is_not_followed():
    with receivers.web((303, "/seen")) as page:
        assert tell(page.url).state == "delivered"
    assert page.paths == ["/a-secret-topic"]


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "/a secret", "http://127.0.0.1:secret/"]
)
def test_a_page_that_sends_on_to_what_is_none_is_not_followed(place):
    with receivers.web((307, place)) as page:
        found = tell(page.url)
    assert found.state == "failed"
    assert "not followed" in found.reason
    assert "secret" not in found.reason
    assert len(page.bodies) == 1


def test_a_page_that_sends_in_a_circle_is_left():
    with receivers.web(*[(307, "/again")] * 9) as page:
        assert "sent on" in tell(page.url).reason


@pytest.mark.parametrize(
    ("url", "words"), [("http://127.0.0.1:1/x", "refused"), ("http://name.invalid/x", ""), ("https://{}/x", "")]
)
def test_a_page_that_cannot_be_reached_is_told_why(url, words):
    with receivers.web() as plain:  # no TLS there
        found = tell(url.format(f"127.0.0.1:{plain.port}"), attempts=2)
    assert found.state == "failed"
    assert words in found.reason
    assert "\n" not in found.reason


def test_a_mail_goes_to_the_server_that_is_named():
    with receivers.mail_server() as server:
        found = tell(f"mailto:me@host.example?smtp=127.0.0.1:{server.port}&from=chordal@host.example")
    assert found.state == "delivered", found
    mail = message_from_bytes(server.mails[0], policy=policy.default)
    assert (mail["Subject"], mail["To"], mail["From"]) == (
        NOTICE.title, "me@host.example", "chordal@host.example",
    )  # fmt: skip
    body = mail.get_content().splitlines()
    assert body[0] == "the night failed: größer"
    for line in ("run: r1", "files: 3 extracted", "mend: smaller", "report: /home/report.html"):
        assert line in body


def test_a_mail_goes_to_the_server_of_the_environment(monkeypatch):
    with receivers.mail_server() as server:
        monkeypatch.setenv("CHORDAL_SMTP", f"smtp://127.0.0.1:{server.port}")
        assert tell("mailto:me@host,you@host").state == "delivered"
    assert server.recipients == ["rcpt TO:<me@host>", "rcpt TO:<you@host>"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("smtp://me%40host:secret@127.0.0.1:{port}", "offers no TLS"),
        ("nonsense", "CHORDAL_SMTP"),
        ("smtp://me:secret@[mail", "CHORDAL_SMTP"),
        ("smtp://127.0.0.1:1", "refused"),
        ("smtps://me:secret@127.0.0.1:{port}", "127.0.0.1"),
    ],
)
def test_a_mail_server_that_cannot_be_used_is_told_why_and_hears_no_password(monkeypatch, address, words):
    with receivers.mail_server() as server:
        monkeypatch.setenv("CHORDAL_SMTP", address.format(port=server.port))
        found = tell("mailto:me@host", limit_s=1.0, attempts=1)
    assert found.state == "failed"
    assert words in found.reason
    assert "secret" not in found.reason
    assert server.mails == []


@pytest.mark.parametrize("farewell", ["421 too busy", "", "nonsense"])
def test_a_mail_that_was_taken_is_not_sent_again_for_a_farewell(farewell):
    with receivers.mail_server(farewell=farewell) as server:
        assert tell(f"mailto:me@host?smtp=127.0.0.1:{server.port}").state == "delivered"
    assert len(server.mails) == 1


def test_a_mail_server_that_refuses_the_recipient_is_not_asked_again():
    with receivers.mail_server(refuses=True) as server:
        found = tell(f"mailto:me@host?smtp=127.0.0.1:{server.port}")
    assert found.reason == "127.0.0.1: answered 550 no such user"
    assert len(server.recipients) == 1


def test_a_mail_goes_by_the_hosts_sendmail_where_no_server_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("CHORDAL_SMTP", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    receivers.command(tmp_path, 'echo "$@" > "$FOLDER/words"; cat > "$FOLDER/mail"', name="sendmail")
    assert tell("mailto:me@host").state == "delivered"
    assert (tmp_path / "words").read_text() == "-i -- me@host\n"
    mail = message_from_bytes((tmp_path / "mail").read_bytes(), policy=policy.default)
    assert mail.get_content().startswith("the night failed: größer\n")


def test_one_that_hangs_does_not_keep_the_others_waiting(tmp_path):
    hanging = parse_target(str(receivers.command(tmp_path, SLEEPER)))
    with receivers.web() as page:
        found = deliver_all([hanging, parse_target(page.url)], NOTICE, limit_s=1.0)
    assert [each.state for each in found] == ["failed", "delivered"]
    assert found[1].seconds < found[0].seconds
