import pytest
from receivers import command

from pipeline.errors import UsageError
from workers.notices.notice import parse_events
from workers.notices.targets import parse_mail, parse_target, parse_targets


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nobody is named"),
        ("ftp://host/secret", "unknown scheme"),
        ("slack:secret", "unknown scheme"),
        ("https://", "no host"),
        ("https://host:99999/secret", "not a URL"),
        ("https://[::1/secret", "not a URL"),
        ("https://host/secret topic", "%20"),
        ("https://host/%zzsecret", "%25"),
        ("https://host/secret%", "%25"),
        ("https://host/secretü", "percent-encoded"),
        ("https://host/secret\n", None),
        ("https://host/sec\x00ret", "percent-encoded"),
        ("mailto:me", "no mail address"),
        ("mailto:", "nobody is no mail address"),
        ("mailto:me@", "no mail address"),
        ("mailto:me@host,you", "you is no mail address"),
        ("mailto:me@host?bcc=x@y", "knows no bcc"),
        ("mailto:me@host?smtp=", "no mail server"),
        ("mailto:me@host?smtp=ftp://x", "no mail server"),
        ("mailto:me@host?smtp=user:secret@mail:25", "CHORDAL_SMTP"),
        ("mailto:m%e@host", "lone %"),
        ("mailto://me@host", "no slashes"),
        ("hooks.slack.com/services/secret", "begins with https://"),
        ("me@host", "without mailto:"),
        ("no-such-program-here now", "no such command"),
        ("./no-such-program-here", "no such command"),
        ("/", "is a folder"),
        ("'sh -c", "no closing quotation"),
    ],
)
def test_a_target_with_a_mistake_is_refused_in_one_line_that_shows_no_secret(text, words):
    if words is None:  # a line's end around it is no part of it
        assert parse_target(text).address == "https://host/secret"
        return
    with pytest.raises(UsageError, match=r"^notify") as caught:
        parse_target(text)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_program_that_cannot_be_started_is_refused(tmp_path):
    program = command(tmp_path, "true")
    program.chmod(0o644)
    with pytest.raises(UsageError, match="chmod"):
        parse_target(str(program))


def test_a_command_is_known_by_the_path_of_its_program_wherever_it_is_told(tmp_path, monkeypatch):
    command(tmp_path, "true")
    monkeypatch.chdir(tmp_path)
    assert parse_target("./alert 'two words'").words == [str(tmp_path / "alert"), "two words"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert parse_target("alert").words == [str(tmp_path / "alert")]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_target("~/alert").words == [str(tmp_path / "alert")]


@pytest.mark.parametrize("name", ["two words", "bob's alert", 'the "alért"'])
def test_the_path_of_a_program_may_have_blanks_and_quotes_in_it(tmp_path, monkeypatch, name):
    program = command(tmp_path / "my scripts", "true", name=name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in (str(program), f"~/my scripts/{name}"):
        assert parse_target(text).words == [str(program)]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://ntfy.sh/secret", "https://ntfy.sh/***"),
        ("HTTPS://me:secret@hooks.slack.com:8443/services/secret?secret=1", "https://hooks.slack.com:8443/***"),
        ("http://host?secret", "http://host/***"),
        ("https://host", "https://host"),
        ("mailto:me@host?smtp=mail:2525", "mailto:me@host?smtp=mail:2525"),
        ("/bin/sh -c 'curl -H secret'", "/bin/sh ***"),
    ],
)
def test_people_see_whom_a_target_is_and_no_secret(text, masked):
    assert parse_target(text).masked == masked


def test_a_mail_address_may_name_its_server_and_sender():
    mail = parse_mail("mailto:me@host,you@host?smtp=mail.host:2525&from=chordal@host")
    assert (mail.to, mail.smtp, mail.sender) == (("me@host", "you@host"), "smtp://mail.host:2525", "chordal@host")
    assert parse_mail("mailto:me@host").smtp is None


def test_each_of_several_mail_addresses_is_told_by_itself():
    found = parse_targets(["mailto:me@host,you@host?smtp=mail", "mailto:you@host?smtp=mail"])
    assert [target.address for target in found] == ["mailto:me@host?smtp=mail", "mailto:you@host?smtp=mail"]


def test_nobody_is_told_where_none_is_named_alone():
    assert parse_targets(["none"]) == ()
    with pytest.raises(UsageError, match="alone"):
        parse_targets(["none", "https://host"])
    assert len(parse_targets(["https://host", "https://host"])) == 1


def test_events_are_named_in_a_list():
    assert parse_events("finished, failed") == ("failed", "finished")
    for mistake in ("", "fail", "failed,test"):
        with pytest.raises(UsageError, match="notify-on"):
            parse_events(mistake)
