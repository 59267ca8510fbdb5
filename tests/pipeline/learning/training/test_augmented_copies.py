"""Augmented copies teach beside their original, and are neither validated nor tested."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.learning.dataset.load import build_manifest, load_rows
from pipeline.learning.search.plan import check_models, propose_trials
from pipeline.learning.splits import make_split
from pipeline.learning.study.trials import TrialSpec
from pipeline.learning.training.final import finish_study
from pipeline.learning.training.trial import run_trial
from pipeline.plans.augmentation import AugmentPlan, RowAugmentation, variations
from pipeline.plans.split import SplitPlan

KEY = "frame_stats-000000000000"
FAMILIES = {"frame_stats": KEY}
PLAN = AugmentPlan(copies=2, gain_db=(-6, 6))
OF_ORIGINALS, OF_COPIES = 1.0, -1.0


def with_copies(library, *, of=lambda number: True):
    """Store rows for the copies of some tracks, and return the library's manifest and the copies' contents."""
    contents = set()
    for number, track in enumerate(library.scanned):
        content = library.source.records[track.track_id].content_hash
        rows = library.source.stored[KEY, content]
        for variation in variations(PLAN, content):
            if of(number):
                key = variation.content_key(content)
                library.source.stored[KEY, key] = dataclasses.replace(rows, values=rows.values - 2)
                contents.add(key)
    return build_manifest("run-1", library.scanned, library.source, FAMILIES, PLAN), contents


def test_copies_stand_beside_their_original_when_all_families_are_stored(blobs):
    library = blobs(12)
    manifest, contents = with_copies(library, of=lambda number: number % 2 == 0)
    assert [len(track.copies) for track in manifest.tracks] == [2, 0] * 6
    assert {copy.content_hash for track in manifest.tracks for copy in track.copies} == contents
    for track in manifest.tracks:
        for copy in track.copies:
            assert copy.variation in variations(PLAN, track.content_hash)
            assert copy.content_hash == copy.variation.content_key(track.content_hash)
    # a dataset with copies is another dataset
    assert manifest.digest != library.manifest().digest


def test_without_a_plan_stored_copies_are_passed_over(blobs):
    library = blobs(12)
    with_copies(library)
    assert not any(track.copies for track in library.manifest().tracks)


def test_rows_of_copies_come_only_when_requested(blobs):
    library = blobs(12)
    manifest, contents = with_copies(library)
    library.source.requested.clear()
    rows = load_rows(manifest, "frame_stats", library.source, [0, 1, 2], copies_of=[1])
    assert contents & set(library.source.requested) == {copy.content_hash for copy in manifest.tracks[1].copies}
    assert rows.select([0, 1, 2]).owner.tolist() == [0, 0, 1, 1, 2, 2]
    assert not rows.select([0, 1, 2]).is_copy.any()
    taught = rows.select([1], copies=True)
    assert taught.owner.tolist() == [1] * 6
    assert taught.is_copy.tolist() == [False] * 2 + [True] * 4


track_rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.none() | st.sampled_from([f"g{number}" for number in range(8)]),
        st.sampled_from(["1", "2", "3"]),
        st.none() | st.sampled_from(["x", "y"]),
        st.booleans(),
    ),
    min_size=8,
    max_size=30,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=track_rows, strategy=st.sampled_from(["grouped", "folds"]), seed=st.integers(0, 2**32))
def test_no_copy_ever_leaves_its_originals_side_and_none_is_ever_tested(
    library, recipe, monkeypatch, rows, strategy, seed
):
    library.scanned.clear()
    library.source.stored.clear()
    for number, (label, group, fold, content, _) in enumerate(rows):
        # every row tells its group, content and whether it is a copy's
        values = np.full((1, 3), OF_ORIGINALS)
        values[0, 1] = -1 if group is None else int(group[1:])
        values[0, 2] = number if content is None else 100 + ord(content)
        library.add(f"{number:03}.wav", label, values, group=group, fold=fold, content=content)
    try:
        manifest, _ = with_copies(library, of=lambda number: rows[number][4])
        split = make_split(manifest, SplitPlan(strategy=strategy), seed=seed)
    except UsageError:
        assume(False)
        raise
    inputs = _spy(monkeypatch)
    spec = TrialSpec(run_id="run-1", index=0, family="spied", features="frame_stats", hyperparameters={}, seed=1)
    library.source.requested.clear()
    outcome = run_trial(spec, recipe("svm"), manifest, split, library.source)
    assert outcome.state == "completed", outcome.reason
    for part, (train, validation, predicted) in zip(split.partitions, inputs, strict=True):
        assert len(train) == sum(1 + len(manifest.tracks[position].copies) for position in part.train)
        assert (validation[:, 0] == OF_ORIGINALS).all()
        assert (predicted[:, 0] == OF_ORIGINALS).all()
        copies = train[train[:, 0] != OF_ORIGINALS] + 2
        held_out = [manifest.tracks[position] for position in (*part.validation, *part.test)]
        groups = {int(track.group[1:]) for track in held_out if track.group is not None}
        assert not groups & set(copies[:, 1].tolist())
        contents = {library.source.stored[KEY, track.content_hash].values[0, 2] for track in held_out}
        assert not contents & set(copies[:, 2].tolist())
    if len(split.partitions) == 1:
        untaught = (*split.partitions[0].test, *split.partitions[0].validation)
        hidden = {copy.content_hash for position in untaught for copy in manifest.tracks[position].copies}
        assert not hidden & set(library.source.requested)


def _spy(monkeypatch):
    """Put a model family in place that remembers the rows it is shown: (train, validation, predicted) of each fit."""
    from pipeline.learning.models import Fit
    from pipeline.learning.training import fit as training_fit

    inputs = []

    class Model:
        def __init__(self, entry, classes):
            self.entry, self.classes = entry, classes

        def probabilities(self, x):
            self.entry.append(x)
            return np.full((len(x), self.classes), 1 / self.classes)

    class Family:
        def fit(self, train, validation, *, classes, **_):
            inputs.append(entry := [train.x, validation.x])
            return Fit(model=Model(entry, classes))

    monkeypatch.setattr(training_fit, "model_family", lambda _: Family())
    return inputs


@pytest.mark.parametrize("folds", [0, 3])
@pytest.mark.parametrize("refit", [True, False])
def test_a_study_with_copies_tests_every_original_once(blobs, recipe, tmp_path, folds, refit):
    library = blobs(36, folds=folds)
    manifest, contents = with_copies(library)
    made = recipe("logistic", trials=1, refit=refit)
    split = make_split(manifest, made.split, seed=1)
    [spec] = propose_trials(made, run_id="run-1", seed=1)
    outcome = run_trial(spec, made, manifest, split, library.source)
    library.source.requested.clear()
    report = finish_study(made, manifest, split, [outcome], library.source, tmp_path, created="now", seed=1)
    tested = [prediction.track_id for prediction in report.predictions]
    assert len(tested) == len(set(tested)) == sum(len(part.test) for part in split.partitions)
    assert report.model.dataset_digest == manifest.digest
    if not folds:
        hidden = {
            copy.content_hash for position in split.partitions[0].test for copy in manifest.tracks[position].copies
        }
        assert contents & set(library.source.requested) == contents - hidden


def test_altered_rows_are_a_trials_own_and_recorded(blobs, recipe):
    library = blobs(36)
    manifest = library.manifest()
    plan = RowAugmentation(copies=3, noise_sd=0.5)
    made = recipe("logistic", trials=1)
    made = made.replace(models=(made.models[0].replace(augment=plan),))
    [spec] = propose_trials(made, run_id="run-1", seed=1)
    assert spec.augment == plan
    assert TrialSpec.from_wire(spec.to_wire()) == spec
    split = make_split(manifest, made.split, seed=1)
    outcome = run_trial(spec, made, manifest, split, library.source)
    assert outcome.state == "completed"
    again = run_trial(spec, made, manifest, split, library.source)
    assert again.fits[0].validation_log_loss == outcome.fits[0].validation_log_loss
    without = run_trial(spec.replace(augment=None), made, manifest, split, library.source)
    assert without.fits[0].validation_log_loss != outcome.fits[0].validation_log_loss


def test_masks_over_time_are_refused_for_vectors_before_anything_begins(recipe):
    made = recipe("svm")
    made = made.replace(models=(made.models[0].replace(augment=RowAugmentation(time_masks=1)),))
    with pytest.raises(UsageError, match=r"models svm: augment\.time_masks: the rows of frame_stats are vectors"):
        check_models(made)
