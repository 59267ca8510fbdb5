"""The leakage sentinel sees the leak that is there, none where there is none, and says what it cannot say."""

import numpy as np
import pytest

from pipeline.learning.dataset.load import load_rows
from pipeline.learning.evaluation.sentinel import run_sentinel
from pipeline.learning.splits.units import units_of
from pipeline.learning.study.trials import TrialSpec

COLUMNS = 12


def library_of(library, *, groups, tracks=1, rows=1, voice=0.0, grouped=True, classes=2, seed=0):
    """Fill a library: groups that have a voice of their own beside a little of their class; returns the manifest."""
    random = np.random.default_rng(seed)
    for group in range(groups):
        label = group % classes
        own = voice * random.standard_normal(COLUMNS)
        own[label] += 0.6
        for track in range(tracks):
            values = own + random.standard_normal((rows, COLUMNS))
            name = f"{label}/{group:03}-{track}.wav"
            library.add(name, f"class {label}", values, group=f"g{group}" if grouped else None)
    return library.manifest()


def sentinel_of(library, manifest, *, family="svm", seed=0, **hyperparameters):
    spec = TrialSpec(
        run_id="run-1",
        index=0,
        family=family,
        features="frame_stats",
        hyperparameters={"c": 8.0, "gamma": 0.5} | hyperparameters,
        seed=seed,
    )
    rows = load_rows(manifest, "frame_stats", library.source)
    return run_sentinel(manifest, units_of(manifest), rows, spec, seed=seed)


def test_rows_of_one_track_on_both_sides_are_seen_and_the_gap_is_named(library):
    manifest = library_of(library, groups=40, rows=8, voice=2.0)

    sentinel = sentinel_of(library, manifest)

    assert sentinel.gap.gap > 0.15
    assert sentinel.gap.interval.low > 0.05
    assert sentinel.gap.gap == pytest.approx(sentinel.random.accuracy - sentinel.honest.accuracy)
    assert sentinel.random.interval.low < sentinel.random.accuracy < sentinel.random.interval.high


def test_tracks_of_one_group_on_both_sides_are_seen(library):
    manifest = library_of(library, groups=40, tracks=6, voice=2.0)

    assert sentinel_of(library, manifest).gap.interval.low > 0.05


def test_without_a_leak_there_is_no_gap_beyond_chance(library):
    manifest = library_of(library, groups=160)

    sentinel = sentinel_of(library, manifest)

    assert sentinel.gap.interval.low <= 0 <= sentinel.gap.interval.high


def test_groups_without_a_name_show_among_neighbours(library):
    manifest = library_of(library, groups=24, tracks=10, voice=2.0, grouped=False)

    sentinel = sentinel_of(library, manifest)

    assert sentinel.units == 240
    assert sentinel.hidden.interval.low > 0.02
    assert sentinel.hidden.gap == pytest.approx(sentinel.honest.accuracy - sentinel.neighbours.accuracy)


def test_every_split_tests_the_same_rows_and_learns_from_equally_many(library, monkeypatch):
    learned = []
    from pipeline.learning.evaluation import sentinel

    real = sentinel.model_family

    class Spy:
        def __init__(self, name):
            self.family = real(name)

        def fit(self, train, validation, **more):
            learned.append(len(train.y))
            return self.family.fit(train, validation, **more)

    monkeypatch.setattr(sentinel, "model_family", Spy)
    manifest = library_of(library, groups=21, tracks=3, rows=5, voice=1.0)

    sentinel = sentinel_of(library, manifest)

    assert learned == [sentinel.learned_from] * 12
    assert sentinel.tested == sentinel.rows == 315


def test_a_large_library_is_sampled_by_whole_groups_of_every_class(library):
    manifest = library_of(library, groups=300, tracks=2, rows=30, classes=3)

    sentinel = sentinel_of(library, manifest, family="logistic", c=0.03)

    assert 1700 <= sentinel.rows <= 2000
    assert sentinel.units == 300
    assert sentinel.tracks == 2 * sentinel.units
    assert sentinel.untold == ()


def test_what_was_chosen_is_fitted_again_and_something_quick_stands_in_for_a_network(library):
    manifest = library_of(library, groups=12, rows=2)

    chosen, network = (sentinel_of(library, manifest, family=family) for family in ("logistic", "dense_search"))

    assert (chosen.family, chosen.is_winner) == ("logistic", True)
    assert (network.family, network.is_winner) == ("svm", False)


def test_of_a_class_with_a_single_group_it_says_that_nothing_is_known(library):
    manifest = library_of(library, groups=10, rows=6)
    library.add("lonely.wav", "lonely", np.zeros((6, COLUMNS)), group="alone")
    manifest = library.manifest()

    sentinel = sentinel_of(library, manifest)

    assert sentinel.untold == ("lonely",)
    assert sentinel.tested == sentinel.rows - 6
    assert sentinel.honest is not None


def test_where_no_class_has_two_groups_neighbours_in_time_are_all_that_can_be_compared(library):
    random = np.random.default_rng(0)
    for label in range(3):
        # A song that drifts: what is near in time is alike.
        drift = np.cumsum(random.standard_normal((200, COLUMNS)), axis=0)
        library.add(f"song {label}.wav", f"class {label}", drift + random.standard_normal((200, COLUMNS)))
    manifest = library.manifest()

    sentinel = sentinel_of(library, manifest)

    assert sentinel.honest is sentinel.gap is sentinel.hidden is None
    assert sentinel.reason == "no class has two groups: nothing can be said of unseen ones"
    assert sentinel.untold == manifest.classes
    assert sentinel.random.accuracy >= sentinel.neighbours.accuracy


def test_matrices_count_by_their_columns_mean_and_deviation(library):
    random = np.random.default_rng(0)
    for number in range(12):
        library.add(f"{number}.wav", "ab"[number % 2], random.normal(number % 2, 1, (3, 20, 4)))

    sentinel = sentinel_of(library, library.manifest())

    assert sentinel.honest.accuracy > 0.9
    assert not sentinel.is_winner


def test_a_sentinel_that_cannot_be_fitted_says_why_and_harms_nothing(library, monkeypatch):
    from pipeline.learning.evaluation import sentinel

    def broken(name):
        raise ValueError(f"no {name} today")

    monkeypatch.setattr(sentinel, "model_family", broken)

    sentinel = sentinel_of(library, library_of(library, groups=12))

    assert sentinel.random is sentinel.honest is sentinel.gap is None
    assert sentinel.reason == "svm could not be fitted (no svm today)"


def test_it_says_the_same_for_the_same_seed(library):
    manifest = library_of(library, groups=12, rows=3)

    assert sentinel_of(library, manifest, seed=5) == sentinel_of(library, manifest, seed=5)
    assert sentinel_of(library, manifest, seed=5) != sentinel_of(library, manifest, seed=6)


def test_of_few_groups_all_take_part_and_each_is_tested_by_a_model_of_the_others(library):
    # six speakers who say three words, five hundred times
    random = np.random.default_rng(0)
    for speaker in range(6):
        voice = random.standard_normal(COLUMNS)
        for number in range(500):
            word = number % 3
            rows = voice + 2 * np.eye(COLUMNS)[word] + random.standard_normal((1, COLUMNS))
            library.add(f"{word}_{speaker}_{number}.wav", f"word {word}", rows, group=f"speaker {speaker}")
    manifest = library.manifest()

    sentinel = sentinel_of(library, manifest)

    assert (sentinel.units, sentinel.folds) == (6, 6)
    assert 1900 <= sentinel.rows <= 2000
    assert sentinel.learned_from == pytest.approx(sentinel.rows * 5 / 6, abs=10)


def test_folds_that_somebody_made_are_what_is_kept_together_where_no_groups_are_known(library):
    from pipeline.learning.splits import make_split
    from pipeline.learning.splits.units import scored_units
    from pipeline.plans.split import SplitPlan

    random = np.random.default_rng(0)
    for number in range(60):
        library.add(f"{number}.wav", f"class {number % 2}", random.normal(size=(1, COLUMNS)), fold=str(number % 5))
    manifest = library.manifest()

    units = scored_units(manifest, make_split(manifest, SplitPlan(), seed=0))

    assert len(set(units.tolist())) == 5
    assert [track.fold for track in manifest.tracks] == [str(unit) for unit in units.tolist()]


def test_single_rows_without_groups_tell_nothing_of_unseen_ones(library):
    manifest = library_of(library, groups=60, tracks=1, rows=1, grouped=False)

    assert not sentinel_of(library, manifest).knows_groups
