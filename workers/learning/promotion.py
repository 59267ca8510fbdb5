"""Champion and challenger: what a new model is held against, and whether it takes the champion's place.

The tracks that count are those the challenger was tested on and the champion never learned from: not from them, nor
from a copy of them or another track of their group. A champion that was cross-validated was fitted on all tracks in
the end; of those the answers count that it gave in the fold where it had not seen them.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, Split
from pipeline.learning.evaluation.gate import Comparison, Verdict, compare, judge
from pipeline.learning.models.compatibility import misfit
from pipeline.learning.study.results import EvaluationReport, ModelVersion
from pipeline.plans.gate import GatePlan
from storage import Champion
from storage.home import Home

if TYPE_CHECKING:
    from storage import Snapshot

_ATTEMPTS = 10
"""Each time, somebody else changed the champion in between."""

_TRACKS_PER_READ = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model and what it was made from."""

    model: ModelVersion
    manifest: DatasetManifest
    split: Split
    evaluation: EvaluationReport


def contender(home: Home, version: str) -> Contender:
    """Return a model with what it was made from.

    Raises `UsageError` for an unknown version, and when what it was made from is no longer there.
    """
    model = home.registry.get(version)
    ledger, registry = home.ledger, home.registry
    study = registry.study(version)
    if study is None:
        manifest, split = ledger.manifest(model.run_id), ledger.split(model.run_id)
        study = (manifest, split) if manifest is not None and split is not None else None
    evaluation = registry.evaluation(version) or ledger.report(model.run_id)
    if study is None or evaluation is None:
        raise UsageError(f"model {version}: what it learned from and was tested on is not there any more")
    return Contender(model=model, manifest=study[0], split=study[1], evaluation=evaluation)


def decide(home: Home, run_id: str) -> Verdict:
    """Return whether the model of a run becomes the champion, and make it so; decided once, however often asked.

    Raises `StoreError` when the registry or the store cannot be read or written.
    """
    report = home.ledger.report(run_id)
    assert report is not None, "a run that has learned has a report"  # noqa: S101 - narrows the type
    version, plan = report.model.version, home.ledger.plan(run_id)
    champions = home.champions
    for _ in range(_ATTEMPTS):
        if (known := champions.verdict(version)) is not None:
            champions.put_verdict(known)
            return known
        before = champions.current()
        verdict = _verdict(home, version, before, plan.recipe.gate, seed=plan.seed)
        verdict = verdict.replace(decided=now())
        if verdict.state == "promoted":
            entry = Champion(
                number=0,
                version=version,
                action="first" if before is None else "gate",
                reason=verdict.reason,
                by=f"run {run_id}",
                verdict=verdict,
                at="",
            )
            if champions.follow(before, entry) is None:
                continue
        champions.put_verdict(verdict)
        return verdict
    reason = f"the champion was changed {_ATTEMPTS} times while the two were compared"
    verdict = Verdict(version=version, state="kept", reason=reason)
    champions.put_verdict(verdict)
    return verdict


def _verdict(home: Home, version: str, before: Champion | None, gate: GatePlan, *, seed: int) -> Verdict:
    """Return what would be decided if the champion stays the one it is."""
    if before is None:
        return Verdict(version=version, state="promoted", reason="the first model")
    verdict = Verdict(version=version, state="kept", reason="", champion=before.version)
    try:
        why = unusable(home, before.version)
    except UsageError as error:
        why = str(error)
    if why:
        return verdict.replace(state="promoted", reason=f"{before.version} cannot be used any more: {why}")
    try:
        new, old = contender(home, version), contender(home, before.version)
        if new.evaluation.scored == "rows":
            return verdict.replace(
                reason="it was tested on single rows dealt out at random, not on tracks that it had never heard"
            )
        if not set(new.model.classes) & set(old.model.classes):
            told = f"another task: it shares no class with {before.version}"
            return verdict.replace(
                reason=f"{told}; `chordal models promote {version}` makes it the champion all the same"
            )
        compared, left_out = comparison(home, new, old, gate, seed=seed)
    except UsageError as error:
        return verdict.replace(reason=f"could not be compared: {error}")
    return judge(version, before.version, compared, left_out, gate)


def unusable(home: Home, version: str) -> str:
    """Return why a registered model cannot be used here, or nothing. Raises `UsageError` for an unknown version."""
    model = home.registry.get(version)
    if why := misfit(model.features):
        return why
    try:
        home.registry.check(model)
    except UsageError as error:
        return str(error).removeprefix(f"model {version}: ")
    return ""


def comparison(
    home: Home, new: Contender, old: Contender, gate: GatePlan, *, seed: int
) -> tuple[Comparison | None, dict[str, int]]:
    """Return how two models do on the same tracks, None without any, and how many could not be used, by reason.

    Raises `UsageError` when the old model cannot be loaded.
    """
    import numpy as np

    snapshot = home.store.snapshot()
    tested = _tested(new)
    asked, recorded, left_out = _sort_out(tested, old, snapshot)
    answers = recorded | _answers(old.model, asked, snapshot)
    truths = {content: (said, truth) for content, (_, said, truth) in tested.items() if content in answers}
    if not truths:
        return None, left_out
    compared = compare(
        np.array([said == truth for said, truth in truths.values()]),
        np.array([answers[content] == truth for content, (_, truth) in truths.items()]),
        [tested[content][0].group for content in truths],
        test=gate.test,
        seed=seed,
    )
    return compared, left_out


def _tested(new: Contender) -> dict[str, tuple[DatasetTrack, str, str]]:
    """Return the tracks a model was tested on, its answers and the truth, by content: copies say nothing new."""
    tracks = {track.track_id: track for track in new.manifest.tracks}
    found: dict[str, tuple[DatasetTrack, str, str]] = {}
    for prediction in new.evaluation.predictions:
        track = tracks.get(prediction.track_id)
        if track is not None and prediction.truth is not None:
            found.setdefault(track.content_hash, (track, prediction.label, prediction.truth))
    return found


def _sort_out(
    tested: dict[str, tuple[DatasetTrack, str, str]], old: Contender, snapshot: "Snapshot"
) -> tuple[list[str], dict[str, str], dict[str, int]]:
    """Return the contents to ask the old model about, what it said of others before it learned them, and what is left.

    The last are counts by reason.
    """
    from pipeline.learning.training.held_out import TrainingExposure

    version = old.model.version
    learned = TrainingExposure.of(old.manifest, old.split)
    before = {content: said for content, (_, said, _) in _tested(old).items()} if len(old.split.partitions) > 1 else {}
    asked: list[str] = []
    recorded: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for content, (track, _, _) in tested.items():
        if content in before:
            recorded[content] = before[content]
        elif learned.covers(track):
            left_out[f"learned from by {version}"] += 1
        elif not set(old.model.features) <= snapshot.families_of(content):
            left_out[f"without the features that {version} reads"] += 1
        else:
            asked.append(content)
    return asked, recorded, dict(left_out)


def _answers(model: ModelVersion, contents: list[str], snapshot: "Snapshot") -> dict[str, str]:
    """Return the label a model gives to each of some contents."""
    from pipeline.learning.models import load_model

    found: dict[str, str] = {}
    if not contents:
        return found
    classifier = load_model(Path(model.path))
    for first in range(0, len(contents), _TRACKS_PER_READ):
        part = contents[first : first + _TRACKS_PER_READ]
        rows = {key: [each.values for each in snapshot.rows(key, part)] for key in classifier.features}
        best = classifier.probabilities(rows).argmax(axis=1)
        found |= {content: classifier.classes[int(index)] for content, index in zip(part, best, strict=True)}
    return found
