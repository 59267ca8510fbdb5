"""Champion and challenger on constructed models: which tracks count, what is decided, and that it is decided once."""

import json
from pathlib import Path

import pytest
from model_homes import CLASSES, SPEC, learn, songs, store

from pipeline.errors import UsageError
from pipeline.learning.training.held_out import TrainingExposure
from pipeline.plans.gate import GatePlan
from storage.home import Home
from workers.learning import promotion


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def decided(home, run_id="r2"):
    verdict = promotion.decide(home, run_id)
    champion = home.champions.current()
    return verdict, champion and champion.version


def first_champion(home, train, test, **how):
    learn(home.path, "r1", train, test, **how)
    promotion.decide(home, "r1")


def test_the_first_model_is_the_champion(home):
    store(home.path, songs(10))
    learn(home.path, "r1", songs(6), songs(4, first=6))
    verdict, champion = decided(home, "r1")
    assert (verdict.state, verdict.reason, champion) == ("promoted", "the first model", "v0001")
    assert home.champions.current().by == "run r1"


def test_a_challenger_that_is_right_where_the_champion_is_wrong_takes_its_place(home):
    # given a champion that is fooled by 10 of the 30 songs that the challenger was tested on and has right
    held_out = songs(30, first=40, misleading=10)
    store(home.path, [*songs(40), *held_out])
    first_champion(home, songs(30), songs(10, first=30))
    learn(home.path, "r2", songs(40), held_out)
    # when
    verdict, champion = decided(home)
    # then
    assert (verdict.state, verdict.champion, champion) == ("promoted", "v0001", "v0002")
    compared = verdict.comparison
    assert (compared.tracks, compared.only_challenger, compared.only_champion) == (30, 10, 0)
    assert (compared.challenger, compared.champion) == (1.0, pytest.approx(20 / 30))
    entry = home.champions.current()
    assert (entry.action, entry.back, entry.verdict.reason) == ("gate", 1, verdict.reason)


def test_a_challenger_that_is_no_better_is_kept_with_the_reason(home):
    store(home.path, songs(70))
    first_champion(home, songs(30), songs(10, first=30))
    learn(home.path, "r2", songs(40), songs(30, first=40), wrong=[41, 42])
    verdict, champion = decided(home)
    assert (verdict.state, champion) == ("kept", "v0001")
    assert verdict.reason.startswith(
        "does not beat v0001 at the level 0.019: 93.3% against 100.0% of 30 held-out tracks"
    )


def test_tracks_that_the_champion_learned_from_are_not_compared_on(home):
    # 25 of the challenger's 30 test songs are ones the champion learned from
    store(home.path, songs(70))
    first_champion(home, songs(65), songs(5, first=65))
    learn(home.path, "r2", songs(40), songs(30, first=40))
    verdict, champion = decided(home)
    assert (verdict.state, champion) == ("kept", "v0001")
    assert "too few to tell: 5 held-out tracks" in verdict.reason
    assert verdict.left_out == {"learned from by v0001": 25}


def test_neither_are_others_of_the_groups_it_learned_from(home):
    def artist(number):
        return f"artist {number % 20}"

    held_out = songs(30, first=40, misleading=10, group=artist)
    store(home.path, [*songs(40), *held_out])
    first_champion(home, songs(10, group=artist), songs(10, first=30, group=artist))
    learn(home.path, "r2", songs(40, group=artist), held_out)
    verdict, _ = decided(home)
    assert verdict.left_out == {"learned from by v0001": 20}
    assert verdict.comparison.tracks == 10


def test_copies_of_a_track_count_once(home):
    held_out = songs(30, first=40, misleading=10)
    twice = [*held_out, *held_out[-10:]]
    store(home.path, [*songs(40), *held_out])
    first_champion(home, songs(30), songs(10, first=30))
    learn(home.path, "r2", songs(40), twice)
    assert decided(home)[0].comparison.tracks == 30


def test_a_cross_validated_champion_answers_with_what_it_said_before_it_had_seen_a_track(home):
    # given a champion over folds, wrong on 10 of 40 songs when it had not seen them; in the end it learned from all
    store(home.path, songs(50))
    first_champion(home, songs(40), [], folds=4, wrong=range(10))
    assert len(TrainingExposure.of(*_study(home, "v0001")).contents) == 40
    # when the challenger over folds has them all right, and ten new ones
    learn(home.path, "r2", songs(50), [], folds=4)
    verdict, champion = decided(home)
    # then
    assert (verdict.comparison.tracks, verdict.comparison.only_challenger, champion) == (50, 10, "v0002")
    assert verdict.left_out == {}


def _study(home, version):
    found = promotion.contender(home, version)
    return found.manifest, found.split


def test_tracks_without_the_features_the_champion_reads_are_left_out(home):
    store(home.path, songs(60))
    first_champion(home, songs(30), songs(10, first=30))
    learn(home.path, "r2", songs(40), songs(30, first=40))
    verdict, _ = decided(home)
    assert verdict.left_out == {"without the features that v0001 reads": 10}


def test_another_task_does_not_replace_the_champion(home):
    store(home.path, songs(40))
    first_champion(home, songs(30), songs(10, first=30), classes=("calm", "wild"))
    learn(home.path, "r2", songs(10), songs(30, first=10))
    verdict, champion = decided(home)
    assert (verdict.state, champion) == ("kept", "v0001")
    assert "it shares no class with v0001" in verdict.reason
    assert "chordal models promote v0002" in verdict.reason


def test_a_challenger_that_knows_fewer_classes_is_kept_and_they_are_named(home):
    held_out = songs(30, first=40, misleading=15)
    store(home.path, [*songs(40), *held_out])
    first_champion(home, songs(30), songs(10, first=30), classes=(*CLASSES, "middle", "silence"))
    learn(home.path, "r2", songs(40), held_out)
    verdict, champion = decided(home)
    assert (verdict.state, champion) == ("kept", "v0001")
    assert verdict.lost_classes == ("middle", "silence")
    assert verdict.reason.startswith("it does not know 2 of the classes of v0001 (middle, silence); `chordal models")
    # with fewer classes it is not let in where the champion is damaged, either
    (Path(home.registry.get("v0001").path) / "member-0" / "model.skops").write_bytes(b"")
    learn(home.path, "r3", songs(40), held_out)
    verdict, champion = decided(home, "r3")
    assert (verdict.state, champion) == ("kept", "v0001")
    assert "cannot be used any more" in verdict.reason
    assert "does not know 2 of its classes (middle, silence)" in verdict.reason


def test_a_recipe_may_let_classes_go(home):
    held_out = songs(30, first=40, misleading=15)
    store(home.path, [*songs(40), *held_out])
    first_champion(home, songs(30), songs(10, first=30), classes=(*CLASSES, "middle"))
    learn(home.path, "r2", songs(40), held_out, gate=GatePlan(classes="may_go"))
    verdict, champion = decided(home)
    assert (verdict.state, verdict.lost_classes, champion) == ("promoted", ("middle",), "v0002")


def test_challengers_of_a_champion_are_counted_and_their_level_falls(home):
    store(home.path, songs(70))
    first_champion(home, songs(30), songs(10, first=30))
    levels = []
    for number in (2, 3, 4):
        learn(home.path, f"r{number}", songs(40), songs(30, first=40), wrong=[41])
        verdict, _ = decided(home, f"r{number}")
        levels.append((verdict.turn, verdict.level))
    assert [turn for turn, _ in levels] == [1, 2, 3]
    assert levels[0][1] > levels[1][1] > levels[2][1] > 0
    assert "challenger 3 of this champion, for all of which the level is 0.05" in verdict.reason
    # the champion's score on what it was not tested on when it was made
    assert (verdict.comparison.fresh, verdict.comparison.fresh_champion) == (30, 1.0)


def test_a_champion_that_cannot_be_used_any_more_is_replaced_and_both_fingerprints_are_named(home):
    store(home.path, songs(40))
    first_champion(home, songs(30), songs(10, first=30), features="mfcc_mean-0123456789ab")
    learn(home.path, "r2", songs(10), songs(30, first=10))
    verdict, champion = decided(home)
    assert (verdict.state, champion) == ("promoted", "v0002")
    assert "trained on mfcc_mean 0123456789ab" in verdict.reason
    assert f"computes mfcc_mean {SPEC.fingerprint}" in verdict.reason


def test_a_champion_whose_weights_are_damaged_is_replaced(home):
    store(home.path, songs(40))
    first_champion(home, songs(30), songs(10, first=30))
    weights = Path(home.registry.get("v0001").path) / "member-0" / "model.skops"
    weights.write_bytes(b"rubbish")
    learn(home.path, "r2", songs(10), songs(30, first=10))
    verdict, champion = decided(home)
    assert (verdict.state, champion) == ("promoted", "v0002")
    assert "model.skops is not what was registered" in verdict.reason


def test_the_gate_is_the_recipes(home):
    held_out = songs(8, first=40, misleading=7)
    store(home.path, [*songs(40), *held_out])
    first_champion(home, songs(30), songs(10, first=30))
    learn(home.path, "r2", songs(40), held_out, gate=GatePlan(tracks=8))
    verdict, champion = decided(home)
    assert (verdict.state, champion) == ("promoted", "v0002")


def test_it_is_decided_once(home):
    store(home.path, songs(70))
    first_champion(home, songs(30), songs(10, first=30))
    learn(home.path, "r2", songs(40), songs(30, first=40))
    first = promotion.decide(home, "r2")
    home.champions.promote("v0002")
    home.champions.rollback()
    assert promotion.decide(home, "r2") == first
    assert [entry.version for entry in home.champions.history()] == ["v0001", "v0002", "v0001"]


def test_who_was_promoted_and_died_before_its_verdict_stays_promoted_once(home, monkeypatch):
    store(home.path, songs(10))
    learn(home.path, "r1", songs(6), songs(4, first=6))

    def die(_verdict):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(home.champions, "put_verdict", die)
        with pytest.raises(KeyboardInterrupt):
            promotion.decide(home, "r1")
    verdict, champion = decided(home, "r1")
    assert (verdict.state, champion) == ("promoted", "v0001")
    assert len(home.champions.history()) == 1


def test_when_the_champion_changes_meanwhile_the_challenger_is_compared_with_the_new_one(home, monkeypatch):
    held_out = songs(30, first=40, misleading=10)
    store(home.path, [*songs(40), *held_out])
    first_champion(home, songs(30), songs(10, first=30))
    learn(home.path, "r2", songs(40), held_out)
    learn(home.path, "r3", songs(40), held_out)
    comparison, champions = promotion.comparison, []

    def meanwhile(home, new, old, *rest, **named):
        champions.append(old.model.version)
        if len(champions) == 1:
            home.champions.promote("v0003")
        return comparison(home, new, old, *rest, **named)

    monkeypatch.setattr(promotion, "comparison", meanwhile)
    verdict = promotion.decide(home, "r2")
    assert champions == ["v0001", "v0003"]
    assert (verdict.champion, home.champions.current().number) == ("v0003", 3)


def test_a_model_of_before_anything_was_kept_of_it_is_found_by_its_run(home):
    store(home.path, songs(70))
    first_champion(home, songs(30), songs(10, first=30))
    folder = Path(home.registry.get("v0001").path)
    for name in ("dataset", "split", "evaluation"):
        (folder / f"{name}.json").unlink()
    assert len(promotion.contender(home, "v0001").manifest.tracks) == 40
    (home.ledger.path("r1") / "dataset.json").unlink()
    with pytest.raises(UsageError, match="is not there any more"):
        promotion.contender(home, "v0001")
    learn(home.path, "r2", songs(40), songs(30, first=40))
    verdict, champion = decided(home)
    assert (verdict.state, champion) == ("kept", "v0001")
    assert "could not be compared" in verdict.reason


def test_everything_to_repeat_a_model_lies_beside_it(home):
    model = learn(home.path, "r1", songs(6), songs(4, first=6))
    files = {path.name for path in Path(model.path).iterdir()}
    assert files == {
        "plan.json", "dataset.json", "split.json", "evaluation.json", "model.json", "classifier.json", "member-0"
    }  # fmt: skip
    assert json.loads((Path(model.path) / "plan.json").read_text())["seed"] == 1
    assert set(model.files) == {"classifier.json", "member-0/model.skops"}
    assert model.classes == CLASSES
