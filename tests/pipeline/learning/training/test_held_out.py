"""What an earlier model was tested on stays in the test; what it learned from stays out of it."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.learning.dataset.manifests import Split
from pipeline.learning.splits import make_split, units_of_split
from pipeline.learning.training.held_out import TrainingExposure, keep_held_out
from pipeline.plans.split import SplitPlan

PLAN = SplitPlan(strategy="grouped")
CLASSES = "abc"


def rows(count, *, first=0, group=lambda n: None):
    return [(CLASSES[n % 3], group(n), None, f"content {n}") for n in range(first, first + count)]


def contents(manifest, positions):
    return {manifest.tracks[at].content_hash for at in positions}


def grown(manifest_of, *, old=60, new=30, group=lambda n: None, seeds=(1, 2)):
    """Return the study of a library, and manifest and split of one that has grown since."""
    before = manifest_of(rows(old, group=group))
    earlier = make_split(before, PLAN, seed=seeds[0])
    after = manifest_of(rows(old + new, group=group))
    return before, earlier, after, make_split(after, PLAN, seed=seeds[1])


def test_held_out_tracks_stay_held_out_and_learned_ones_are_not_tested(manifest_of):
    before, earlier, after, later = grown(manifest_of)
    kept = keep_held_out(after, later, TrainingExposure.of(before, earlier), name="v0001")
    [was], [now], [drawn] = earlier.partitions, kept.partitions, later.partitions
    assert contents(before, was.test) <= contents(after, now.test)
    assert not contents(after, now.test) & contents(before, (*was.train, *was.validation))
    assert sorted((*now.train, *now.validation, *now.test)) == list(range(90))
    # new tracks lie where the new split put them
    assert {at for at in now.test if at >= 60} == {at for at in drawn.test if at >= 60}
    assert abs(len(now.validation) - len(drawn.validation)) <= 3
    assert "15 tracks that model v0001 was tested on stayed in the test" in kept.notes[-1]


def test_the_same_library_and_seed_need_no_change(manifest_of):
    before, earlier, _, _ = grown(manifest_of, new=0)
    assert keep_held_out(before, earlier, TrainingExposure.of(before, earlier), name="v0001") == earlier


def test_a_group_with_a_learned_track_is_not_tested_also_when_that_track_is_gone(manifest_of):
    before = manifest_of(rows(60, group=lambda n: f"g{n // 2}"))
    earlier = make_split(before, PLAN, seed=1)
    group = before.tracks[earlier.partitions[0].train[0]].group
    after = manifest_of(
        [row for row in rows(60, group=lambda n: f"g{n // 2}") if row[1] != group] + [("a", group, None, "new")]
    )
    kept = keep_held_out(after, make_split(after, PLAN, seed=4), TrainingExposure.of(before, earlier), name="v0001")
    assert len(after.tracks) - 1 not in kept.partitions[0].test


def test_folds_are_left_as_they_are_and_their_model_learned_from_everything(manifest_of):
    before = manifest_of([(CLASSES[n % 3], None, str(n % 4), f"content {n}") for n in range(48)])
    folds = make_split(before, SplitPlan(strategy="folds"), seed=1)
    learned = TrainingExposure.of(before, folds)
    assert len(learned.contents) == 48
    assert not learned.tested
    assert keep_held_out(before, folds, learned, name="v0001") == folds


def test_a_class_that_would_not_be_tested_leaves_the_split_as_it_was(manifest_of):
    _, _, after, later = grown(manifest_of)
    everything = TrainingExposure(contents={track.content_hash for track in after.tracks})
    kept = keep_held_out(after, later, everything, name="v0001")
    assert kept.partitions == later.partitions
    assert "could not be kept aside: class a would not be tested" in kept.notes[-1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(new=st.integers(0, 40), size=st.integers(1, 4), seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_whatever_grows_units_stay_whole_and_nothing_learned_is_tested(manifest_of, new, size, seeds):
    before, earlier, after, later = grown(
        manifest_of, new=new, group=lambda n: f"g{n % 3} {n // 3 // size}", seeds=seeds
    )
    learned = TrainingExposure.of(before, earlier)
    kept: Split = keep_held_out(after, later, learned, name="v0001")
    [part] = kept.partitions
    units = units_of_split(after, later)
    sides = [set(units[list(side)].tolist()) for side in (part.train, part.validation, part.test)]
    assert sum(map(len, sides)) == len(set().union(*sides))
    if kept.partitions != later.partitions:
        assert not any(learned.covers(after.tracks[at]) for at in part.test)
