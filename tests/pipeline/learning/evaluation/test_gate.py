"""When a challenger takes the champion's place: decided on constructed answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.learning.evaluation.gate import bootstrap, compare, judge, mcnemar
from pipeline.plans.gate import GatePlan
from pipeline.plans.recipe import parse_recipe

RECIPE = 'name = "t"\ntitle = "t"\n[[models]]\nfamily = "svm"\nfeatures = "mfcc_mean"\n'


def answers(both=0, new=0, old=0, neither=0):
    """Return which tracks the challenger and the champion have right."""
    challenger = [True] * (both + new) + [False] * (old + neither)
    champion = [True] * both + [False] * new + [True] * old + [False] * neither
    return np.array(challenger), np.array(champion)


def verdict(groups=None, plan=None, **counts):
    plan = plan or GatePlan()
    challenger, champion = answers(**counts)
    groups = groups or [None] * len(challenger)
    return judge("v0002", "v0001", compare(challenger, champion, groups, test=plan.test, seed=1), {}, plan)


def test_mid_p_is_the_one_of_the_binomial_written_out():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 0) == pytest.approx(0.5**5 / 2)
    assert mcnemar(3, 1) == pytest.approx((4 / 2 + 1) / 16)
    assert mcnemar(0, 5) == pytest.approx(1 - 0.5**5 / 2)


@given(ahead=st.integers(0, 60), behind=st.integers(0, 60))
def test_the_two_sides_of_mcnemars_mid_p_add_up_to_one(ahead, behind):
    if ahead + behind:
        assert mcnemar(ahead, behind) + mcnemar(behind, ahead) == pytest.approx(1)


def test_a_challenger_that_is_clearly_better_is_promoted():
    result = verdict(both=30, new=9, old=1)
    assert result.state == "promoted"
    assert "beats v0001 at the level 0.05: 97.5% against 77.5% of 40 held-out tracks, 9 right only" in result.reason
    assert result.comparison.test == "mcnemar"


@pytest.mark.parametrize("counts", [{"both": 40}, {"both": 30, "new": 5, "old": 3}, {"both": 20, "old": 9}])
def test_a_challenger_that_is_no_better_or_hardly_is_kept(counts):
    result = verdict(**counts)
    assert result.state == "kept"
    assert "does not beat v0001 at the level 0.05" in result.reason


def test_with_too_few_tracks_the_champion_stays_however_good_the_challenger_is():
    result = verdict(new=19)
    assert result.state == "kept"
    assert (
        "too few to tell: 19 held-out tracks that neither learned from; the recipe's gate asks for 20" in result.reason
    )
    assert judge("v0002", "v0001", None, {"learned from by v0001": 7}, GatePlan()).reason.endswith(
        "(left out: 7 learned from by v0001)"
    )


def test_the_level_is_the_recipes():
    assert verdict(both=30, new=5, old=1).state == "kept"  # 0.0625
    assert verdict(both=30, new=5, old=1, plan=GatePlan(level=0.1)).state == "promoted"


def test_tracks_of_a_group_are_drawn_together_so_one_artist_convinces_nobody():
    # 40 tracks, 12 of which only the challenger has right: all of one artist
    alone = [f"other {n // 2}" for n in range(28)] + ["artist"] * 12
    result = verdict(groups=alone, new=12, both=28)
    assert (result.state, result.comparison.test) == ("kept", "bootstrap")
    assert "p of the bootstrap over 15 groups" in result.reason
    # the same gain over many artists
    spread = [f"other {n // 2}" for n in range(28)] + [f"artist {n}" for n in range(12)]
    assert verdict(groups=spread, new=12, both=28).state == "promoted"
    # without a word about groups, McNemar's test takes the tracks for independent
    assert verdict(groups=alone, new=12, both=28, plan=GatePlan(test="mcnemar")).state == "promoted"


def test_few_groups_are_too_few_to_draw_from():
    result = verdict(groups=[f"artist {n % 9}" for n in range(40)], new=40)
    assert result.state == "kept"
    assert "in 9 groups; 10 are needed" in result.reason


def test_the_bootstrap_is_repeatable_and_never_certain():
    gains = np.array([1] * 12 + [-1] * 4)
    assert bootstrap(gains, seed=3) == bootstrap(gains, seed=3)
    assert bootstrap(np.ones(50, np.int64), seed=1) == pytest.approx(1 / 10_001)
    assert bootstrap(np.zeros(50, np.int64), seed=1) == 1.0


@pytest.mark.parametrize(
    ("gate", "words"),
    [("level = 0.7", "gate.level is 0.7"), ("tracks = 0", "gate.tracks is 0"), ('test = "t"', "Invalid enum value")],
)
def test_a_gate_that_makes_no_sense_is_refused(gate, words):
    with pytest.raises(UsageError, match=words):
        parse_recipe(f"{RECIPE}\n[gate]\n{gate}", "t.toml")
