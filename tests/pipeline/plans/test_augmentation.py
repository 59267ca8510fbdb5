"""Which copies follow from a recipe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.plans.augmentation import AugmentPlan, Variation, variations
from pipeline.plans.recipe import parse_recipe

CONTENT = "0123456789abcdef" * 2
PLAN = AugmentPlan(copies=3, speed=(0.9, 1.1), snr_db=(10, 30))
RECIPE = """
name = "mine"
title = "Mine"
{top}
[[models]]
family = "svm"
features = "mfcc_mean"
{model}
"""


def ranges(low, high):
    return st.none() | st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: tuple(sorted(pair)))


PLANS = st.builds(
    AugmentPlan,
    copies=st.integers(1, 16),
    seed=st.integers(0, 2**40),
    speed=ranges(0.5, 2),
    pitch_semitones=ranges(-12, 12),
    shift_s=ranges(-60, 60),
    gain_db=ranges(-40, 40),
    snr_db=ranges(-20, 100),
)


@given(PLANS, st.text("0123456789abcdef", min_size=32, max_size=32))
def test_copies_are_within_their_ranges_differ_in_key_and_are_the_same_every_time(plan, content):
    values = variations(plan, content)
    assert values == variations(plan, content)
    assert [each.copy for each in values] == list(range(1, plan.copies + 1))
    keys = {each.content_key(content) for each in values}
    assert len(keys) == plan.copies
    assert content not in keys
    assert all(len(key) == 32 for key in keys)
    for each in values:
        for name in ("speed", "pitch_semitones", "shift_s", "gain_db", "snr_db"):
            if (bounds := getattr(plan, name)) is None:
                assert getattr(each, name) == getattr(Variation(copy=1, seed=1), name)
            else:
                assert bounds[0] - 1e-6 <= getattr(each, name) <= bounds[1] + 1e-6


def test_drawn_numbers_never_change():
    # stored copies would be computed again
    first = variations(PLAN, CONTENT)[0]
    assert first == Variation(copy=1, seed=1, speed=SPEED, snr_db=SNR_DB)
    assert first.content_key(CONTENT) == KEY


SPEED, SNR_DB, KEY = 1.098481, 15.904763, "0822eca8fbf4fd4e267d37ed50bcba2f"


def test_another_seed_content_or_copy_gives_other_numbers():
    speeds = {each.speed for each in variations(PLAN, CONTENT)}
    speeds |= {each.speed for each in variations(PLAN.replace(seed=2), CONTENT)}
    speeds |= {each.speed for each in variations(PLAN, CONTENT[::-1])}
    assert len(speeds) == 9


def test_a_kind_more_leaves_the_other_kinds_numbers_as_they_were():
    more = variations(PLAN.replace(gain_db=(-6, 6)), CONTENT)
    assert [each.speed for each in more] == [each.speed for each in variations(PLAN, CONTENT)]


def test_numbers_spread_evenly_over_their_range():
    plan = AugmentPlan(copies=16, gain_db=(0, 1))
    values = [each.gain_db for number in range(100) for each in variations(plan, f"{number:032x}")]
    counts = [sum(low <= value < low + 0.25 for value in values) for low in (0, 0.25, 0.5, 0.75)]
    assert min(counts) > 340


def test_a_variation_is_described_in_words():
    words = str(Variation(copy=2, seed=1, speed=1.05, pitch_semitones=-2, snr_db=20.0))
    assert words == "copy 2: 1.05x speed, -2 semitones, 20 dB over noise"


@pytest.mark.parametrize(
    ("top", "model", "message"),
    [
        ("[augment]\ncopies = 2", "", r"recipe mine\.toml: augment: nothing to alter; give a range for one of speed"),
        ("[augment]\nspeed = [1.1, 0.9]", "", r"augment\.speed is \[1\.1, 0\.9\]; give a range within \[0\.5, 2\]"),
        ("[augment]\ngain_db = [-90, 0]", "", r"augment\.gain_db is \[-90, 0\]"),
        ("[augment]\ncopies = 99\ngain_db = [0, 1]", "", r"augment\.copies is 99; give 1 to 16"),
        ("[augment]\nspede = [0.9, 1.1]", "", r"unknown field `spede` - at `\$\.augment`"),
        ("[augment]\nspeed = 1.1", "", r"Expected `array \| null`, got `float` - at `\$\.augment\.speed`"),
        ("", "[models.augment]\ncopies = 1", r"models\.augment: nothing to alter; give time_masks"),
        ("", "[models.augment]\nnoise_sd = -1", r"models\.augment\.noise_sd is -1"),
        ("", "[models.augment]\ntime_masks = 1\ntime_share = 1.0", r"models\.augment\.time_share is 1\.0"),
        ("", "[models.augment]\nnoise = 1", r"unknown field `noise` - at `\$\.models\[0\]\.augment`"),
    ],
)
def test_a_table_that_cannot_be_followed_is_refused_naming_file_and_key(top, model, message):
    with pytest.raises(UsageError, match=message):
        parse_recipe(RECIPE.format(top=top, model=model), "mine.toml")
