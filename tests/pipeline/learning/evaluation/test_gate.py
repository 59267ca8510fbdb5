"""When a challenger takes the champion's place: decided on constructed answers."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from pipeline.errors import UsageError
from pipeline.learning.evaluation import sign_flip
from pipeline.learning.evaluation.gate import compare, judge, next_turn, spent_level
from pipeline.learning.evaluation.sign_flip import sign_flip_p
from pipeline.plans.gate import GatePlan
from pipeline.plans.recipe import parse_recipe

RECIPE = 'name = "t"\ntitle = "t"\n[[models]]\nfamily = "svm"\nfeatures = "mfcc_mean"\n'


def answers(both=0, new=0, old=0, neither=0):
    """Return which tracks the challenger and the champion have right."""
    challenger = [True] * (both + new) + [False] * (old + neither)
    champion = [True] * both + [False] * new + [True] * old + [False] * neither
    return np.array(challenger), np.array(champion)


def verdict(groups=None, plan=None, *, turn=1, lost=(), **counts):
    challenger, champion = answers(**counts)
    groups = groups or [None] * len(challenger)
    compared = compare(challenger, champion, groups, seed=1)
    return judge("v0002", "v0001", compared, {}, plan or GatePlan(), turn=turn, lost=lost)


def test_p_is_the_share_of_all_ways_to_flip_the_signs():
    assert sign_flip_p(np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), seed=1) == pytest.approx(0.125)
    assert sign_flip_p(np.zeros(5, np.int64), seed=1) == 1.0
    # single tracks: the exact sign test
    assert sign_flip_p(np.array([1] * 9 + [-1]), seed=1) == pytest.approx(binom.sf(8, 10, 0.5))


@given(gains=st.lists(st.integers(-4, 4), min_size=1, max_size=10))
def test_p_is_that_of_counting_them_one_by_one(gains):
    ways = [
        sum(sign * abs(gain) for sign, gain in zip(signs, gains, strict=True))
        for signs in itertools.product((1, -1), repeat=len(gains))
    ]
    counted = np.mean([way >= sum(gains) for way in ways])
    assert sign_flip_p(np.array(gains), seed=1) == pytest.approx(counted)


def test_where_there_are_too_many_ways_they_are_drawn_repeatably(monkeypatch):
    gains = np.array([1] * 30 + [-1] * 14)
    exact = sign_flip_p(gains, seed=3)
    monkeypatch.setattr(sign_flip, "_EXACT", 1000)
    assert sign_flip_p(gains, seed=3) == sign_flip_p(gains, seed=3)
    assert sign_flip_p(gains, seed=3) == pytest.approx(exact, rel=0.3)


@pytest.mark.parametrize("groups", [20, 60])
def test_equal_models_are_promoted_no_more_often_than_the_level_says(groups):
    random = np.random.default_rng(groups)
    promoted = 0
    for _ in range(400):
        same = random.random((groups, 4)) < 0.7
        draws = [np.where(random.random((groups, 4)) < 0.15, ~same, same) for _ in range(2)]
        gains = (draws[0].astype(int) - draws[1]).sum(axis=1)
        promoted += sign_flip_p(gains, seed=1) <= 0.05
    assert promoted <= 0.05 * 400 + 3 * np.sqrt(400 * 0.05 * 0.95)


def test_a_challenger_that_is_clearly_better_is_promoted():
    result = verdict(both=30, new=9, old=1)
    assert result.state == "promoted"
    assert "beats v0001 at the level 0.019: 97.5% against 77.5% of 40 held-out tracks in 40 groups" in result.reason
    assert "9 right only by the new one, 1 only by the old, p of the sign-flip test 0.011" in result.reason


@pytest.mark.parametrize("counts", [{"both": 40}, {"both": 30, "new": 5, "old": 3}, {"both": 20, "old": 9}])
def test_a_challenger_that_is_no_better_or_hardly_is_kept(counts):
    result = verdict(**counts)
    assert result.state == "kept"
    assert "does not beat v0001 at the level 0.019" in result.reason


def test_with_too_few_tracks_the_champion_stays_however_good_the_challenger_is():
    result = verdict(new=19)
    assert result.state == "kept"
    assert (
        "too few to tell: 19 held-out tracks that neither learned from; the recipe's gate asks for 20" in result.reason
    )
    assert (
        "(left out: 7 learned from by v0001)"
        in judge("v2", "v1", None, {"learned from by v0001": 7}, GatePlan()).reason
    )
    assert result.turn == 0  # nothing was spent


def test_the_level_is_the_recipes():
    assert verdict(both=30, new=6, old=1).state == "kept"  # 0.0625
    assert verdict(both=30, new=6, old=1, plan=GatePlan(level=0.2)).state == "promoted"


def test_tracks_of_a_group_count_together_so_one_artist_convinces_nobody():
    # 40 tracks, 12 of which only the challenger has right: all of one artist
    alone = [f"other {n // 2}" for n in range(28)] + ["artist"] * 12
    result = verdict(groups=alone, new=12, both=28)
    assert (result.state, result.comparison.p) == ("kept", 0.5)
    # the same gain over many artists
    spread = [f"other {n // 2}" for n in range(28)] + [f"artist {n}" for n in range(12)]
    assert verdict(groups=spread, new=12, both=28).state == "promoted"


def test_few_groups_are_too_few_and_the_mend_is_named():
    result = verdict(groups=[f"artist {n % 5}" for n in range(40)], new=40)
    assert result.state == "kept"
    assert "in 5 groups, and 6 are needed: more groups, or `[gate] level` in the recipe, would do" in result.reason
    assert "`chordal models promote v0002`" in result.reason
    assert verdict(groups=[f"artist {n % 6}" for n in range(40)], new=40).state == "promoted"


def test_all_challengers_of_a_champion_together_spend_the_level():
    spent = [spent_level(0.05, turn, renewal) for turn in range(1, 2000) for renewal in range(20)]
    assert 0.0499 < sum(spent) < 0.05
    assert spent_level(0.05, 1) == pytest.approx(0.75 * 0.025)
    result = verdict(both=30, new=9, old=1, turn=7)
    assert result.state == "kept"
    assert "challenger 7 of this champion, for all of which the level is 0.05" in result.reason


def test_turns_begin_anew_when_half_of_the_held_out_tracks_are_new():
    def held(*counts):
        compared = compare(*answers(both=20), [None] * 20, seed=1)
        return [verdict(both=20).replace(comparison=compared.replace(tracks=count)) for count in counts]

    assert next_turn([], 100) == (1, 0)
    assert next_turn(held(100, 100, 120), 199) == (4, 0)
    assert next_turn(held(100, 100, 120), 200) == (1, 1)
    assert next_turn(held(100, 100, 200, 210), 399) == (3, 1)
    assert next_turn(held(100, 100, 200, 210), 400) == (1, 2)


def test_a_challenger_that_lacks_classes_is_kept_however_good_it_is():
    result = verdict(both=10, new=30, lost=[str(n) for n in range(7)])
    assert result.state == "kept"
    assert result.reason == (
        "it does not know 7 of the classes of v0001 (0, 1, 2 ...); `chordal models promote v0002` makes it the "
        "champion all the same"
    )
    assert result.turn == 0
    may_go = GatePlan(classes="may_go")
    assert verdict(both=10, new=30, lost=["a"], plan=may_go).state == "promoted"


def of_classes(**rights):
    """Return a comparison from (tracks, challenger right, champion right) of each class; the champion knows three."""
    truth, challenger, champion = [], [], []
    for name, (tracks, new, old) in rights.items():
        truth += [name] * tracks
        challenger += [True] * new + [False] * (tracks - new)
        champion += [True] * old + [False] * (tracks - old)
    return compare(
        np.array(challenger), np.array(champion), [None] * len(truth), seed=1, classes=truth, known=("a", "b", "c")
    )


def test_a_class_that_is_lost_badly_keeps_the_challenger_and_is_named():
    compared = of_classes(a=(60, 60, 20), b=(30, 30, 30), c=(4, 0, 4))
    result = judge("v0002", "v0001", compared, {}, GatePlan())
    assert compared.p < 0.001
    assert (result.state, result.fallen_classes) == ("kept", ("c",))
    assert "it has lost what v0001 knows (c 0 right of 4, not 4)" in result.reason
    surely = of_classes(a=(60, 60, 20), b=(30, 12, 30), c=(4, 4, 4))
    assert judge("v0002", "v0001", surely, {}, GatePlan()).fallen_classes == ("b",)


def test_a_new_class_alone_is_no_gain_and_both_accuracies_are_said():
    compared = of_classes(a=(20, 20, 20), b=(20, 18, 20), c=(10, 10, 10), new=(40, 40, 0))
    result = judge("v0002", "v0001", compared, {}, GatePlan())
    assert result.state == "kept"
    assert "worse on the classes that v0001 knows" in result.reason
    assert "96.0% against 100.0% of the 50 of classes that both know" in result.reason
    grown = of_classes(a=(20, 20, 20), b=(20, 20, 20), c=(10, 10, 10), new=(40, 40, 0))
    assert judge("v0002", "v0001", grown, {}, GatePlan()).state == "promoted"


@pytest.mark.parametrize(
    ("gate", "words"),
    [("level = 0.7", "gate.level is 0.7"), ("tracks = 0", "gate.tracks is 0"), ('test = "t"', "Invalid enum value")],
)
def test_a_gate_that_makes_no_sense_is_refused(gate, words):
    with pytest.raises(UsageError, match=words):
        parse_recipe(f"{RECIPE}\n[gate]\n{gate}", "t.toml")
