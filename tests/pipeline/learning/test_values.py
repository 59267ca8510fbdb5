"""The values of learning cross the broker and come back equal."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.learning.dataset.flaws import DuplicateSet, Flaw
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, ExcludedTrack, Partition, Split
from pipeline.learning.study.findings import Interval
from pipeline.learning.study.results import ClassScores, ModelVersion, Prediction, Scores
from pipeline.learning.study.trials import FitReport, TrialOutcome, TrialSpec

words = st.text(max_size=8)
floats = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1)
counts = st.integers(0, 2**40)
positions = st.lists(counts, max_size=4).map(tuple)
scalars = st.booleans() | counts | floats | words
specs = st.builds(
    TrialSpec,
    run_id=words,
    index=counts,
    family=words,
    features=words,
    hyperparameters=st.dictionaries(words, scalars, max_size=3),
    seed=counts,
)
confusions = st.lists(positions, max_size=3).map(tuple)
fits = st.builds(
    FitReport,
    partition=words,
    validation_accuracy=shares,
    validation_log_loss=floats,
    validation_confusion=confusions,
    epochs=counts,
    seconds=floats,
    parameters=counts,
    curves=st.dictionaries(words, st.lists(floats, max_size=3).map(tuple), max_size=2),
    validation_probabilities=st.lists(st.lists(shares, max_size=2).map(tuple), max_size=2).map(tuple),
)
intervals = st.none() | st.builds(
    Interval,
    low=shares,
    high=shares,
    level=shares,
    method=st.sampled_from(["bootstrap", "wilson"]),
    units=counts,
    resamples=counts,
    seed=counts,
)
class_scores = st.builds(ClassScores, precision=shares, recall=shares, f1=shares, n=counts)
values = st.one_of(
    specs,
    fits,
    class_scores,
    st.builds(
        DatasetManifest,
        run_id=words,
        families=st.dictionaries(words, words, max_size=2),
        classes=st.lists(words, max_size=3).map(tuple),
        tracks=st.lists(
            st.builds(
                DatasetTrack,
                track_id=words,
                content_hash=words,
                path=words,
                label=words,
                group=st.none() | words,
                fold=st.none() | words,
            ),
            max_size=3,
        ).map(tuple),
        excluded=st.lists(st.builds(ExcludedTrack, path=words, reason=words), max_size=2).map(tuple),
        flaws=st.lists(
            st.builds(
                Flaw, path=words, features=words, columns=st.lists(words, max_size=2).map(tuple), rows=counts, of=counts
            ),
            max_size=2,
        ).map(tuple),
        constant=st.dictionaries(words, st.lists(words, max_size=2).map(tuple), max_size=2),
    ),
    st.builds(
        Split,
        strategy=st.sampled_from(["folds", "grouped", "kfold", "nested", "rows"]),
        seed=counts,
        groups=counts,
        partitions=st.lists(
            st.builds(Partition, name=words, of=words, train=positions, validation=positions, test=positions),
            max_size=2,
        ).map(tuple),
        duplicates=st.lists(
            st.builds(
                DuplicateSet,
                kind=st.sampled_from(["same", "near"]),
                tracks=positions,
                distance=shares,
                kept=st.booleans(),
            ),
            max_size=2,
        ).map(tuple),
        notes=st.lists(words, max_size=2).map(tuple),
    ),
    st.builds(
        TrialOutcome,
        spec=specs,
        state=st.sampled_from(["completed", "failed"]),
        objective=shares,
        fits=st.lists(fits, max_size=2).map(tuple),
        seconds=floats,
        host=words,
        reason=words,
    ),
    st.builds(
        Scores,
        accuracy=shares,
        macro_f1=shares,
        n=counts,
        per_class=st.dictionaries(words, class_scores, max_size=2),
        confusion=confusions,
        accuracy_interval=intervals,
        macro_f1_interval=intervals,
    ),
    st.builds(
        Prediction,
        track_id=words,
        path=words,
        label=words,
        truth=st.none() | words,
        partition=words,
        probabilities=st.lists(shares, max_size=3).map(tuple),
        unsure=st.booleans(),
        row=st.none() | counts,
    ),
    st.builds(
        ModelVersion,
        version=words,
        run_id=words,
        recipe=words,
        family=words,
        features=st.lists(words, max_size=2).map(tuple),
        classes=st.lists(words, max_size=2).map(tuple),
        members=st.lists(specs, max_size=2).map(tuple),
        dataset_digest=words,
        created=words,
        test_accuracy=shares,
        seed=counts,
    ),
)


@given(values)
def test_a_value_comes_back_equal_from_json(value):
    assert type(value).from_wire(json.loads(json.dumps(value.to_wire()))) == value
