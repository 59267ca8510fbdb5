"""The end of a study: choose by validation, fit again, test once, deliver."""

import shutil
import statistics
import time
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.learning.cautions import find_cautions
from pipeline.learning.cautions.facts import StudyFacts
from pipeline.learning.dataset.load import RowSource
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.evaluation.appraisal import appraise, fit_answer_rule, pooled_validation
from pipeline.learning.models import Fit
from pipeline.learning.models.classifier import ClassifierCard, Member, save_classifier
from pipeline.learning.splits.rows import row_sides, row_view
from pipeline.learning.splits.units import scored_units, units_of_split
from pipeline.learning.study.findings import AnswerRule
from pipeline.learning.study.results import EvaluationReport, ModelVersion
from pipeline.learning.study.trials import TrialOutcome
from pipeline.learning.training.final_evaluation import StudyRows, evaluate_round, fit_member, sentinel_of, usual_epochs
from pipeline.learning.training.fit import class_shares
from pipeline.learning.training.trial import Progress, report_progress
from pipeline.plans.recipe import Recipe


def finish_study(
    recipe: Recipe,
    manifest: DatasetManifest,
    split: Split,
    outcomes: Iterable[TrialOutcome],
    source: RowSource,
    folder: Path,
    *,
    created: str,
    seed: int,
    progress: Progress | None = None,
    models: Path | None = None,
) -> EvaluationReport:
    """Choose by validation, fit, score the test tracks once, save the classifier into `folder`, report.

    For each test the trials with the best objective of validation in its partitions are chosen (ties: the lower index):
    nothing that learned from its test tracks is considered, and temperature and threshold are fitted the same way.
    Predictions of all tests are pooled into `test`, so with folds its `n` is every track. The delivered classifier is
    the one that was tested; with several tests it is fitted again on all tracks, from the trials best on average. The
    sentinel comes last. `models` is the folder in which the trials' models were kept.

    Raises `UsageError` with the first reason when every trial failed.
    """
    started = time.monotonic()
    ended = sorted(outcomes, key=lambda outcome: outcome.spec.index)
    completed = [outcome for outcome in ended if outcome.state == "completed"]
    if not completed:
        reasons = [outcome.reason for outcome in ended if outcome.reason]
        raise UsageError(f"every trial failed; the first: {reasons[0] if reasons else 'there was none'}")
    folder.mkdir(parents=True, exist_ok=True)
    track_split, tracks, digest = split, manifest, manifest.digest
    manifest, split, source = row_view(recipe, manifest, split, source)
    units, groups = scored_units(manifest, split), units_of_split(manifest, split)
    rounds = split.rounds
    several = len(rounds) > 1
    # What the delivered classifier learns from; with several tests, every track is learned from by some fit.
    learned = range(len(manifest.tracks)) if several else rounds[0].learned
    study = StudyRows(
        manifest=manifest,
        source=source,
        learned=learned,
        cache={},
        partitions=[part.name for part in split.partitions],
        models=models,
    )
    chosen = {test_round.name: _best(completed, recipe.search.ensemble, test_round.names) for test_round in rounds}
    final = _best(completed, recipe.search.ensemble, None) if several else chosen[rounds[0].name]
    steps = len(rounds) + several
    votes = []
    for number, test_round in enumerate(rounds, start=1):
        round_votes, members = evaluate_round(study, recipe, test_round, chosen[test_round.name])
        votes.append(round_votes)
        report_progress(progress, number, steps, f"tested: {test_round.name}")
    # What is fitted on rows does not hold for the tracks that a delivered classifier predicts.
    rule = (
        AnswerRule()
        if split.strategy == "rows"
        else fit_answer_rule(manifest, groups, pooled_validation(votes), recipe.answer)
    )
    if several:
        members = [fit_member(study, o, learned, usual_epochs(o, None)) for o in final]
        report_progress(progress, steps, steps, "fitted on all tracks")
    elif not recipe.search.refit:
        learned = rounds[0].partitions[0].train
    _deliver(study, final, members, learned, folder, rule)
    appraisal = appraise(manifest, units, votes, recipe.answer, groups=groups, delivered=rule)
    evaluation = EvaluationReport(
        run_id=manifest.run_id,
        classes=manifest.classes,
        validation=appraisal.validation,
        test=appraisal.test,
        per_partition=appraisal.per_partition,
        chosen={name: tuple(outcome.spec.index for outcome in best) for name, best in chosen.items()},
        predictions=appraisal.predictions,
        scored="rows" if split.strategy == "rows" else "tracks",
        row_sides=row_sides(manifest, split) if split.strategy == "rows" else None,
        segments=appraisal.segments,
        by_group=appraisal.by_group,
        groups_tested=appraisal.groups_tested,
        calibration=appraisal.calibration,
        sentinel=sentinel_of(study, tracks, track_split, final[0].spec, seed=seed),
        seconds=time.monotonic() - started,
        model=ModelVersion(
            version="",
            run_id=manifest.run_id,
            recipe=recipe.name,
            family=_family_name(final),
            features=tuple(dict.fromkeys(manifest.families[o.spec.features] for o in final)),
            classes=manifest.classes,
            members=tuple(outcome.spec for outcome in final),
            dataset_digest=digest,
            created=created,
            test_accuracy=appraisal.test.accuracy,
            test_accuracy_interval=appraisal.test.accuracy_interval,
            seed=seed,
        ),
    )
    facts = StudyFacts(manifest=manifest, split=split, evaluation=evaluation, strategy=recipe.search.strategy)
    return evaluation.replace(cautions=find_cautions(facts))


def _best(completed: Sequence[TrialOutcome], count: int, names: AbstractSet[str] | None) -> tuple[TrialOutcome, ...]:
    """Return the trials best in validation, on average over some partitions or over all.

    Ties: the lower log-loss, then the lower index.
    """

    def rank(outcome: TrialOutcome) -> tuple[float, float, int]:
        fits = [fit for fit in outcome.fits if names is None or fit.partition in names]
        value = statistics.fmean(fit.objective for fit in fits)
        loss = statistics.fmean(fit.validation_log_loss for fit in fits)
        return -value, loss, outcome.spec.index

    return tuple(sorted(completed, key=rank)[:count])


def beaten_trials(recipe: Recipe, split: Split, outcomes: Iterable[TrialOutcome]) -> set[int]:
    """Return the trials that have ended and will be chosen for no test, whatever comes."""
    ended = list(outcomes)
    completed = [outcome for outcome in ended if outcome.state == "completed"]
    tests = [test_round.names for test_round in split.rounds] if len(split.rounds) > 1 else [None]
    best = {outcome.spec.index for names in tests for outcome in _best(completed, recipe.search.ensemble, names)}
    return {outcome.spec.index for outcome in ended} - best


def _deliver(
    study: StudyRows,
    chosen: Sequence[TrialOutcome],
    fits: Sequence[Fit],
    learned: Sequence[int],
    folder: Path,
    rule: AnswerRule,
) -> None:
    """Save the members and the card of a classifier."""
    members = []
    for number, (outcome, fit) in enumerate(zip(chosen, fits, strict=True)):
        name = f"member-{number}"
        (folder / name).mkdir(exist_ok=True)
        if fit.saved is None:
            fit.model.save(folder / name)
        else:  # the file itself: a network that was loaded has lost its optimiser
            shutil.copytree(fit.saved, folder / name, dirs_exist_ok=True)
        key = study.manifest.families[outcome.spec.features]
        members.append(Member(folder=name, features=key, trial=outcome.spec))
    prior = tuple(float(share) for share in class_shares(study.manifest, learned))
    card = ClassifierCard(classes=study.manifest.classes, prior=prior, members=tuple(members), answering=rule)
    save_classifier(card, folder)


def _family_name(members: Sequence[TrialOutcome]) -> str:
    """Return the model family, or `ensemble(a+b)` when several vote."""
    families = [outcome.spec.family for outcome in members]
    return families[0] if len(families) == 1 else f"ensemble({'+'.join(families)})"
