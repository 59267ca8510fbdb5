"""Nights with a fast clock: three days pass in a minute, with real workers, trials, gate, report and way back."""

from datetime import UTC, datetime, timedelta

import pytest
import soundfile
from sounds import RATE_HZ, sound, write_classes

from workers.app.celery import configure
from workers.app.context import current
from workers.app.settings import Settings
from workers.processes.cluster import local_cluster
from workers.schedule import maintenance, nightly
from workers.schedule.beat import Memory, Order, due_orders
from workers.schedule.nights import Nights, Schedule

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RECIPE = """
name = "nightly"
title = "One small model on mean MFCCs"
[[models]]
family = "logistic"
features = "mfcc_mean"
[search]
trials = 1
[gate]
level = 0.2
tracks = 6
"""

BEGIN = datetime(2026, 7, 20, 12, tzinfo=UTC)


class Clock:
    """A beat whose day lasts as long as its work."""

    def __init__(self, context, nights: Nights) -> None:
        self.now = BEGIN
        self._context = context
        self._nights = nights
        self._memory = Memory(now_s=0.0)

    def until_morning(self) -> None:
        """Let hours pass until a night was due, and do what the beat sends."""
        for _ in range(24):
            self.now += timedelta(hours=1)
            orders = due_orders(
                self._nights,
                self._memory,
                home_busy=False,
                worker_busy=False,
                now=self.now,
                now_s=(self.now - BEGIN).total_seconds(),
            )
            for order in orders:
                self._carry_out(order)

    def _carry_out(self, order: Order) -> None:
        if order.task == "nightly":
            nightly.run_night(
                self._context, datetime.fromisoformat(order.kwargs["slot"]), missed=order.kwargs["missed"]
            )
        elif order.task == "tidy":
            maintenance.tidy(self._context)


def test_new_files_come_and_each_night_decides_whether_the_new_model_is_the_champion(chordal, tmp_path, empty_broker):
    library = tmp_path / "library"
    recipe = tmp_path / "nightly.toml"
    recipe.write_text(RECIPE, "utf-8")
    write_classes(library, per_class=16, seconds=1.0)
    for path in (library / "noisy").iterdir():
        path.rename(tmp_path / path.name)  # a class that comes later
    (library / "noisy").rmdir()
    (chordal.home / "logs").mkdir(parents=True)
    nights = Nights(chordal.home)
    since = (BEGIN - timedelta(minutes=1)).isoformat()
    schedule = Schedule(
        nightly="0 3 * * *", since=since, libraries=(str(library),), recipe=str(recipe), reconcile_s=1e9
    )
    nights.put_schedule(schedule)
    with local_cluster(chordal.home, empty_broker, 1) as running:
        configure(Settings(home=str(chordal.home), broker=running.broker), "client")
        context = current()
        clock = Clock(context, nights)

        # the first night makes the first champion
        clock.until_morning()
        [first] = nights.results(last=9, now=datetime.now(UTC))
        assert (first.state, first.model, first.verdict, first.champion) == (
            "finished",
            "v0001",
            "promoted",
            "v0001",
        ), first
        assert first.tracks == {"extracted": 32, "unchanged": 0, "failed": 0}

        # a day on which a class comes that the champion cannot know
        (library / "noisy").mkdir()
        for path in tmp_path.glob("noisy *"):
            path.rename(library / "noisy" / path.name)
        clock.until_morning()
        second = nights.results(last=1, now=datetime.now(UTC))[0]
        assert (second.state, second.model) == ("finished", "v0002"), second
        assert second.tracks == {"extracted": 16, "unchanged": 32, "failed": 0}  # only what is new
        assert (second.verdict, second.champion) == ("promoted", "v0002"), second
        assert "beats v0001 at the level 0.075" in second.verdict_reason

        # a day on which hardly anything comes
        soundfile.write(library / "low" / "late.wav", sound(77, seconds=1.0, pitch_hz=110.0), RATE_HZ)
        clock.until_morning()
        third = nights.results(last=1, now=datetime.now(UTC))[0]
        assert (third.state, third.model) == ("finished", "v0003"), third
        assert third.tracks == {"extracted": 1, "unchanged": 48, "failed": 0}
        assert (third.verdict, third.champion) == ("kept", "v0002"), third
        assert "does not beat v0002 at the level 0.075" in third.verdict_reason

    # the tracks the champion was tested on stayed in the test, so there was something to compare on
    compared = context.champions.verdict("v0003").comparison
    assert compared.tracks >= len(context.ledger.split(second.run_id).partitions[0].test) - 1
    # each night has its report, and says what was decided
    for result in (first, second, third):
        page = (context.ledger.path(result.run_id) / "report.html").read_text("utf-8")
        assert result.verdict_reason.replace("'", "&#39;") in page
    # the schedule shows it
    printed = chordal("schedule", "show").out
    assert "kept: does not beat v0002" in printed
    assert "promoted: beats v0001" in printed
    assert chordal("schedule", "show", "--json").json["nights"][0]["verdict"] == "kept"
    # and the champion before is one command away
    assert chordal("models", "rollback").out == "the champion is v0001\n"
    predicted = chordal("predict", library / "noisy", "--json").json
    assert (predicted["model"], predicted["extracted"]) == ("v0001", 0)
    assert "noisy" not in predicted["classes"]
