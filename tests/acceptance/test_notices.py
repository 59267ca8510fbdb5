"""A service that is used for two days, with a fast clock: a night fails, the next is well, and somebody is told."""

import json
import os
from datetime import UTC, datetime, timedelta

import psutil
import pytest
import receivers
from clocks import Clock
from conditions import eventually
from receivers import targets
from sounds import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_service_tells_of_a_night_that_fails_and_goes_on_whoever_hangs(chordal, tmp_path):
    # given a service whose nights are told to a page and to a command that hangs
    library, aside = tmp_path / "library", tmp_path / "aside"
    total = write_classes(library, per_class=4)
    clock = Clock(tmp_path / "clock")
    hanging = receivers.command(tmp_path / "commands", 'echo $$ >> "$FOLDER/pids"; sleep 300')
    night = datetime.now(UTC) - timedelta(minutes=2) + timedelta(hours=5)
    with receivers.web() as page:
        words = ("--library", library, "--recipe", chordal.recipe, "--reconcile", "1", "--timezone", "UTC")
        options = (*targets(page.url, hanging), "--nightly", f"{night.minute} {night.hour} * * *")
        result = chordal("schedule", "set", *words, *options)
        assert result.status == 0, result.err
        path = os.pathsep.join(filter(None, (clock.path, os.environ.get("PYTHONPATH"))))
        up = chordal("up", "--workers", "1", "--no-flower", "--no-metrics", PYTHONPATH=path)
        assert up.status == 0, up.err

        # when the library is away in the first night, and back in the second
        library.rename(aside)
        clock.jump(hours=5)
        eventually(lambda: page.events == ["failed"])
        aside.rename(library)
        clock.jump(hours=29)
        eventually(lambda: page.events == ["failed", "model_changed"], within_s=200)

        # then the notices say what happened
        failed, changed = page.bodies
        assert datetime.fromisoformat(failed["slot"]) == night.replace(second=0, microsecond=0)
        assert str(library) in failed["reason"]
        assert (changed["champion"], changed["tracks"]["extracted"]) == ("v0001", total)
        low, high = changed["model"]["interval"]
        assert low <= changed["model"]["accuracy"] <= high
        assert changed["report"] == str(chordal.home / "runs" / changed["run_id"] / "report.html")

        # and the schedule shows the nights, and who could be told
        shown = chordal("schedule", "show", "--json", PYTHONPATH=path).json
        assert [each["state"] for each in shown["nights"]] == ["finished", "failed"]
        assert shown["current"] is None
        assert shown["notify"]["targets"] == [f"http://127.0.0.1:{page.port}/***", str(hanging)]
        assert {each["target"]: each["state"] for each in shown["deliveries"]}[shown["notify"]["targets"][0]] == (
            "delivered"
        )

        # and the command that hangs ends with the service
        pids = [int(line) for line in (tmp_path / "commands" / "pids").read_text().split()]
        assert chordal("down").status == 0
        eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))
        assert chordal.live_processes() == []
        assert page.events == ["failed", "model_changed"]


def test_who_is_told_can_be_tried_shown_and_forgotten(chordal, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    program = receivers.command(tmp_path / "commands", 'cat > "$FOLDER/json"; [ "$1" = well ]')
    with receivers.web() as page:
        result = chordal("schedule", "set", "--library", library, *targets(page.url, f"{program} ill"))
        assert (result.status, "a-secret-topic" in result.out) == (0, False)
        tried = chordal("schedule", "test-notify")
        assert tried.status == 1
        first, second = tried.out.splitlines()
        assert first.startswith(f"http://127.0.0.1:{page.port}/***: ok (")
        assert second.startswith(f"{program} ***: failed: ended with status 1 (")
        assert page.events == ["test"]
        assert json.loads((tmp_path / "commands" / "json").read_text())["event"] == "test"
    shown = chordal("schedule", "show").out
    assert f"notice of test to {program} *** failed: ended with status 1, at " in shown
    chordal("schedule", "set", *targets(f"{program} well"), "--notify-on", "finished", "--notify-on", "failed")
    assert chordal("schedule", "test-notify", "--json").json["deliveries"][0]["state"] == "delivered"
    assert f"{program} ***, of failed, finished" in chordal("schedule", "set", "--trials", "3").out
    assert chordal("schedule", "set", *targets("none"), "--json").json["notify"]["targets"] == []
    nobody = chordal("schedule", "test-notify")
    assert (nobody.status, nobody.out) == (2, "")
    assert "nobody is told" in nobody.err


def test_a_run_tells_that_it_failed(chordal, tmp_path):
    (tmp_path / "library").mkdir()
    program = receivers.command(tmp_path / "commands", 'cat > "$FOLDER/$1"')
    words = ("extract", tmp_path / "library", "--broker", "redis://127.0.0.1:1/0")
    failed = chordal(*words, CHORDAL_NOTIFY=f"{program} one\n{program} two")
    assert failed.status == 2
    notice, same = (json.loads((tmp_path / "commands" / name).read_text()) for name in ("one", "two"))
    assert notice == same
    assert (notice["event"], notice["work"]) == ("failed", "extract")
    assert notice["reason"] in failed.err
    refused = chordal(*words, *targets("no-such-program-here"))
    assert refused.status == 2
    assert refused.err.startswith("chordal: notify no-such-program-here: no such command here; ")
