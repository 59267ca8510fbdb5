"""Champion and challenger: how a new model compares with the champion, and whether it takes its place.

The tracks that count are those the challenger was tested on and the champion never learned from: not from them, nor
from a copy of them or another track of their group. A champion that was cross-validated was fitted on all tracks in
the end; for those, its predictions in the fold that held them out count.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, Split
from pipeline.learning.evaluation.gate import Comparison, Verdict, compare, judge, next_turn
from pipeline.learning.models import load_model
from pipeline.learning.models.compatibility import misfit
from pipeline.learning.study.results import EvaluationReport, ModelVersion
from pipeline.learning.training.held_out import TrainingExposure
from pipeline.plans.gate import GatePlan
from storage import Champion, Snapshot
from storage.home import Home

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
    """Return whether the model of a run becomes the champion, and make it so; a second call returns the same verdict.

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
            if champions.append(before, entry) is None:
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
        reason = unusable_reason(home, before.version)
    except UsageError as error:
        reason = str(error)
    if reason:
        return _replacement(home, verdict, before.version, reason, gate)
    try:
        new, old = contender(home, version), contender(home, before.version)
        if new.evaluation.scored == "rows":
            return verdict.replace(
                reason="it was tested on single rows dealt out at random, not on tracks that it had never heard"
            )
        if not set(new.model.classes) & set(old.model.classes):
            return verdict.replace(
                reason=f"another task: it shares no class with {before.version}; `chordal models promote {version}` "
                "makes it the champion all the same"
            )
        compared, left_out = comparison(home, new, old, seed=seed)
    except UsageError as error:
        return verdict.replace(reason=f"could not be compared: {error}")
    lost = sorted(set(old.model.classes) - set(new.model.classes))
    earlier = challengers(home, before.version, besides=version)
    turn, renewal = next_turn(earlier, compared.tracks if compared is not None else 0)
    return judge(version, before.version, compared, left_out, gate, lost=lost, turn=turn, renewal=renewal)


def challengers(home: Home, champion: str, *, besides: str = "") -> list[Verdict]:
    """Return the verdicts of the models that were held against a champion's held-out tracks, oldest first."""
    against = [each for each in home.champions.verdicts() if each.champion == champion and each.version != besides]
    # Those of an older chordal have no turn.
    return [each for each in against if each.turn or (each.comparison and each.comparison.test != "sign_flip")]


def _replacement(home: Home, verdict: Verdict, champion: str, reason: str, gate: GatePlan) -> Verdict:
    """Return whether a model takes the place of a champion that cannot be used; not if it lacks classes of that."""
    why = f"{champion} cannot be used any more: {reason}"
    lost = sorted(set(home.registry.get(champion).classes) - set(home.registry.get(verdict.version).classes))
    if lost and gate.classes == "keep":
        named = ", ".join(lost[:3]) + (" ..." if len(lost) > 3 else "")
        return verdict.replace(
            lost_classes=tuple(lost),
            reason=f"{why}, but this one does not know {len(lost)} of its classes ({named}); "
            f"`chordal models promote {verdict.version}` makes it the champion all the same",
        )
    return verdict.replace(state="promoted", reason=why)


def unusable_reason(home: Home, version: str) -> str:
    """Return why a registered model cannot be used here; empty when it can. Raises `UsageError` for an unknown one."""
    model = home.registry.get(version)
    if reason := misfit(model.features):
        return reason
    try:
        home.registry.check(model)
    except UsageError as error:
        return str(error).removeprefix(f"model {version}: ")
    return ""


def comparison(home: Home, new: Contender, old: Contender, *, seed: int) -> tuple[Comparison | None, dict[str, int]]:
    """Return how two models do on the same tracks, None without any, and how many tracks are left out, by reason.

    Raises `UsageError` when the old model cannot be loaded.
    """
    snapshot = home.store.snapshot()
    tested = _test_answers(new)
    open_contents, held_out, left_out = _comparable(tested, old, snapshot)
    answers = held_out | _predicted_labels(old.model, open_contents, snapshot)
    both = {content: answer for content, answer in tested.items() if content in answers}
    rows = [(each.label == each.truth, answers[content] == each.truth, each) for content, each in both.items()]
    # What it was tested on of classes that the new one does not know: the new one would have each of them wrong.
    lost = set(old.model.classes) - set(new.model.classes)
    of_old = _test_answers(old)
    rows += [(False, each.label == each.truth, each) for each in of_old.values() if each.truth in lost]
    if not rows:
        return None, left_out
    compared = compare(
        np.array([is_right for is_right, _, _ in rows]),
        np.array([was_right for _, was_right, _ in rows]),
        [each.track.group for _, _, each in rows],
        seed=seed,
        classes=[each.truth for _, _, each in rows],
        known=old.model.classes,
        fresh=np.array([each.track.content_hash not in of_old for _, _, each in rows]),
    )
    return compared, left_out


class _TestAnswer(NamedTuple):
    """The label that a model gave to a track it was tested on, and the true one."""

    track: DatasetTrack
    label: str
    truth: str


def _test_answers(contender: Contender) -> dict[str, _TestAnswer]:
    """Return what a model answered in its test, by content: duplicates of a track count once."""
    tracks = {track.track_id: track for track in contender.manifest.tracks}
    answers: dict[str, _TestAnswer] = {}
    for prediction in contender.evaluation.predictions:
        track = tracks.get(prediction.track_id)
        if track is not None and prediction.truth is not None:
            answers.setdefault(track.content_hash, _TestAnswer(track, prediction.label, prediction.truth))
    return answers


def _comparable(
    tested: dict[str, _TestAnswer], old: Contender, snapshot: Snapshot
) -> tuple[list[str], dict[str, str], dict[str, int]]:
    """Return how the old model gets to answer for what the new one was tested on.

    First the contents it has yet to label; then the labels it gave to others when its cross-validation held them out;
    then how many tracks are left out, by reason.
    """
    version = old.model.version
    exposure = TrainingExposure.of(old.manifest, old.split)
    known = _test_answers(old) if len(old.split.partitions) > 1 else {}
    open_contents: list[str] = []
    held_out: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for content, answer in tested.items():
        if content in known:
            held_out[content] = known[content].label
        elif exposure.covers(answer.track):
            left_out[f"learned from by {version}"] += 1
        elif not set(old.model.features) <= snapshot.families_of(content):
            left_out[f"without the features that {version} reads"] += 1
        else:
            open_contents.append(content)
    return open_contents, held_out, dict(left_out)


def _predicted_labels(model: ModelVersion, contents: list[str], snapshot: Snapshot) -> dict[str, str]:
    """Return the label a model gives to each of some contents."""
    labels: dict[str, str] = {}
    if not contents:
        return labels
    classifier = load_model(Path(model.path))
    for first in range(0, len(contents), _TRACKS_PER_READ):
        part = contents[first : first + _TRACKS_PER_READ]
        rows = {key: [each.values for each in snapshot.rows(key, part)] for key in classifier.features}
        best = classifier.probabilities(rows).argmax(axis=1)
        labels |= {content: classifier.classes[int(index)] for content, index in zip(part, best, strict=True)}
    return labels
