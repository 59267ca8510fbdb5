"""Resumption: a new study takes over the trials of an equal one that an interruption left unfinished."""

import logging
import shutil

from pipeline.errors import StoreError, UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, Split
from pipeline.learning.study.trials import StudyPlan
from pipeline.learning.training.kept_models import FOLDER
from pipeline.plans.run import RunPlan
from storage.home import Home
from workers.runs.active import active_runs
from workers.runs.state import RunState

LOGS = "logs/tensorboard"

log = logging.getLogger(__name__)


def resumed(home: Home, plan: RunPlan, study: StudyPlan, manifest: DatasetManifest, split: Split) -> StudyPlan:
    """Return the study of a run, with the trials of an interrupted equal study taken over into the run's ledger.

    Equal means: the same tracks in the same order with the same features, labels, groups and folds, the same split,
    recipe, seed and software. Configurations, states of the search, executions, outcomes, kept models and TensorBoard
    logs are copied; trials that failed are tried again. What was interrupted stays as it is. Safe to run again after a
    kill: documents that are there stay. Raises `StoreError` for a ledger that cannot be written.
    """
    source = _interrupted_run(home, plan, manifest, split)
    if source is None or (known := home.ledger.study(source)) is None or known.models != study.models:
        return study
    taken = take_over(home, source, plan.run_id, study)
    return study.replace(continues=source, taken_over=taken) if taken else study


def take_over(home: Home, source: str, run_id: str, study: StudyPlan) -> tuple[int, ...]:
    """Copy into a run what the trials of another one with the same study left; return the trials that have ended.

    States of the search first, outcomes last: a search never knows less than its trials.
    """
    ledger = home.ledger
    for model in study.models:
        if (state := ledger.oracle(source, model.name)) is not None and ledger.oracle(run_id, model.name) is None:
            ledger.put_oracle(run_id, model.name, state)
    ended = []
    for spec in ledger.trials(source):
        ledger.put_trial(spec.replace(run_id=run_id))
        outcome = ledger.outcome(source, spec.index)
        if outcome is not None and outcome.state == "failed":
            continue
        for folder in (LOGS, FOLDER):
            _copy_files(home, source, run_id, f"{folder}/trial-{spec.index:04d}")
        for execution in ledger.executions(source, spec.index):
            if execution.state == "completed":
                ledger.put_execution(run_id, execution)
        if outcome is not None and outcome.state == "completed":
            ledger.put_outcome(outcome.replace(spec=outcome.spec.replace(run_id=run_id)))
            ended.append(spec.index)
    return tuple(ended)


def _interrupted_run(home: Home, plan: RunPlan, manifest: DatasetManifest, split: Split) -> str | None:
    """Return the run with an equal study in which the most trials have ended, the newest of several.

    Only those count that did not come to their end, and began after the last one that did; none that a command
    still works on.
    """
    best, most = None, -1
    ledger = home.ledger
    plans, _ = ledger.plans()
    active = {run.run_id for run in active_runs(home)}
    earlier = [each for each in plans if each.sequence < plan.sequence and each.learn and each.purpose == plan.purpose]
    for each in reversed(earlier):
        if (each.recipe, each.seed, each.versions) != (plan.recipe, plan.seed, plan.versions):
            continue
        try:
            if not _is_equal(home, each.run_id, manifest, split):
                continue
            is_over = RunState.read(home, each.run_id).has_page and not _was_followed_by_interrupted(home, each, plans)
        except (StoreError, UsageError) as error:
            log.warning("run %s: its trials cannot be taken over: %s", each.run_id, error)
            continue
        if is_over:
            break
        if each.run_id not in active and (ended := len(ledger.ended_trials(each.run_id))) > most:
            best, most = each.run_id, ended
    return best


def _is_equal(home: Home, run_id: str, manifest: DatasetManifest, split: Split) -> bool:
    """Return whether a run learned from the same tracks, in the same order, split the same way."""
    theirs = home.ledger.manifest(run_id)
    if theirs is None or (theirs.families, theirs.classes) != (manifest.families, manifest.classes):
        return False
    if len(theirs.tracks) != len(manifest.tracks) or theirs.digest != manifest.digest:
        return False
    if any(_content(one) != _content(other) for one, other in zip(theirs.tracks, manifest.tracks, strict=True)):
        return False
    known = home.ledger.split(run_id)
    return known is not None and (known.strategy, known.partitions) == (split.strategy, split.partitions)


def _content(track: DatasetTrack) -> tuple[str, str, int | None]:
    return track.content_hash, track.label, track.row


def _was_followed_by_interrupted(home: Home, plan: RunPlan, plans: list[RunPlan]) -> bool:
    """Return whether the recipe that follows a finished run, by the same command, did not come to its end.

    Then that command goes on from there too, and the trials of its earlier recipes are not run again either.
    """
    if not plan.recipe.then:
        return False
    later = [each for each in plans if each.sequence > plan.sequence and each.command == plan.command]
    # What was planned by the command after this one; a run of the same recipe is the command given again.
    following = next((each for each in later if each.recipe != plan.recipe), None)
    if following is None or any(each.recipe == plan.recipe for each in later if each.sequence < following.sequence):
        return True
    return not RunState.read(home, following.run_id).has_page or _was_followed_by_interrupted(home, following, plans)


def _copy_files(home: Home, source: str, run_id: str, name: str) -> None:
    """Copy a folder of a trial; what cannot be copied is left, as logs are optional and models are fitted again."""
    target = home.ledger.path(run_id) / name
    try:
        shutil.copytree(home.ledger.path(source) / name, target, dirs_exist_ok=True)
    except FileNotFoundError:
        return
    except (OSError, shutil.Error) as error:
        log.warning("run %s: %s of run %s was not copied: %s", run_id, name, source, error)
