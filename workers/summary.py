"""What a command tells at its end, for people and for machines: read from the ledger, never from the broker."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.learning import DatasetManifest, EvaluationReport, Scores, Split
from pipeline.runs import RunPlan
from pipeline.tracks import printable
from storage.times import trials_wall_s
from workers import learning, stages
from workers.context import Doors
from workers.tables import show_facts

if TYPE_CHECKING:
    from workers.running import Finished

BEST = 5
"""How many of the best trials a summary lists; `chordal status --trials` has them all."""


def of_run(home: Path, finished: "Finished") -> dict[str, Any]:
    """Return the summary of a run that ended, as `--json` prints it."""
    context = Doors(home)
    run_id = finished.plan.run_id
    told: dict[str, Any] = {
        "run_id": run_id,
        "tracks": {"scanned": finished.found.files, **stages.track_counts(context, finished.plan)},
        "deleted": finished.found.gone,
        "duplicates": _duplicates(context, finished.plan),
        "labels": finished.found.labels,
    }
    report = context.ledger.report(run_id)
    if report is not None:
        told |= _learned(context, run_id, report)
    return told | {
        "report": _existing(context.ledger.path(run_id) / "report.html"),
        "seconds": stages.seconds(context, run_id),
    }


def _duplicates(context: Doors, plan: RunPlan) -> int:
    """Return how many files of a run's libraries have the content of another one there, which was computed once."""
    roots = tuple(f"{library.rstrip('/')}/" for library in plan.libraries)
    contents = bytearray()
    for record in context.store.snapshot().records():
        if record.extracted and not record.copy_of and record.path.startswith(roots):
            contents += bytes.fromhex(record.content_hash)
    found = np.frombuffer(bytes(contents), "S16")
    return len(found) - len(np.unique(found))


def of_scan(home: Path, finished: "Finished") -> dict[str, Any]:
    """Return the summary of a scan."""
    found = finished.found
    return {
        "run_id": finished.plan.run_id,
        "tracks": {"scanned": found.files, "unlabelled": found.unlabelled},
        "deleted": found.gone,
        "bytes": found.bytes,
        "formats": found.formats,
        "labels": found.labels,
        "shards": found.shards,
        "unreadable": list(found.unreadable),
        "seconds": stages.seconds(Doors(home), finished.plan.run_id),
    }


def _learned(context: Doors, run_id: str, report: EvaluationReport) -> dict[str, Any]:
    from pipeline.ranking import pace, rank

    drawn_up = context.ledger.study(run_id)
    outcomes = context.ledger.outcomes(run_id)
    counts = Counter(outcome.state for outcome in outcomes)
    gained = pace(outcomes, trials_wall_s(context.ledger, run_id))
    manifest, split = learning.study(context, run_id)
    return {
        "trials": {
            "requested": len(drawn_up.indices) if drawn_up is not None else 0,
            "completed": counts["completed"],
            "failed": counts["failed"],
            **({"skipped": counts["skipped"]} if counts["skipped"] else {}),
        },
        "search": {
            "strategy": drawn_up.strategy if drawn_up is not None else "random",
            "best": [row.to_wire() for row in rank(outcomes)[:BEST]],
            **({} if gained is None else {**gained.to_wire(), "speed_up": round(gained.speed_up, 3)}),
        },
        "model": {"version": report.model.version, "family": report.model.family, "path": report.model.path},
        **_champion(context, report.model.version),
        **_tracked(context, run_id),
        **_copies(context, run_id, manifest),
        "scores": {
            "of": report.scored,
            "validation": _scores(report.validation),
            "test": _scores(report.test),
            "segments": {family: _scores(scores) for family, scores in report.segments.items()},
        },
        "answers": _answers(report),
        "leakage": _leakage(report),
        "split": {
            "strategy": split.strategy,
            "groups": split.groups,
            "seed": split.seed,
            "sizes": _sizes(split),
            "excluded": len(manifest.excluded),
            "duplicates": {
                "same": sum(len(found.tracks) for found in split.duplicates if found.kind == "same"),
                "near": sum(len(found.tracks) for found in split.duplicates if found.kind == "near"),
            },
            "notes": list(split.notes),
        },
    }


def _champion(context: Doors, version: str) -> dict[str, Any]:
    """Return whether a model became the champion, and who is it."""
    verdict, champion = context.champions.verdict(version), context.champions.current()
    if verdict is None:
        return {}
    return {
        "verdict": {"state": verdict.state, "reason": verdict.reason, "champion": champion and champion.version},
    }


def _tracked(context: Doors, run_id: str) -> dict[str, Any]:
    """Return which MLflow was told of a run; nothing where none should be."""
    told = context.ledger.tracked(run_id)
    return {"mlflow": told.to_wire()} if told is not None else {}


def _copies(context: Doors, run_id: str, manifest: DatasetManifest) -> dict[str, Any]:
    """Return how many altered copies the recipe asks for and the store has; nothing for a recipe without."""
    augment = context.ledger.plan(run_id).recipe.augment
    if augment is None:
        return {}
    stored, asked = manifest.copies(augment)
    return {"copies": {"requested": asked, "stored": stored}}


def _scores(scores: Scores) -> dict[str, Any]:
    wire = scores.to_wire()
    return {
        name: wire[name]
        for name in ("accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "n", "per_class")
    }


def _answers(report: EvaluationReport) -> dict[str, Any] | None:
    """Return what calibration and threshold do on the test; None for a report of an older chordal."""
    found = report.calibration
    if found is None:
        return None
    return {
        "temperature": found.delivered.temperature,
        "threshold": found.delivered.threshold,
        "coverage": found.coverage,
        "accuracy": found.accuracy,
        "ece_before": found.before.ece,
        "ece_after": found.after.ece,
    }


def _leakage(report: EvaluationReport) -> dict[str, Any] | None:
    """Return what the sentinel found; None for a report of an older chordal."""
    found = report.sentinel
    if found is None:
        return None
    return {
        "model": found.family,
        "random_rows": found.random.accuracy if found.random else None,
        "neighbours_together": found.neighbours.accuracy if found.neighbours else None,
        "whole_groups": found.honest.accuracy if found.honest else None,
        "gap": found.gap.gap if found.gap else None,
    }


def _sizes(split: Split) -> dict[str, dict[str, int]]:
    return {
        part.name: {"train": len(part.train), "validation": len(part.validation), "test": len(part.test)}
        for part in split.partitions
    }


def _existing(path: Path) -> str | None:
    return str(path) if path.exists() else None


def show(told: dict[str, Any]) -> None:
    """Print a summary for a person on standard output."""
    show_facts(_lines(told))
    if "then" in told:
        show(told["then"])


def _lines(told: dict[str, Any]) -> list[tuple[str, str]]:
    tracks = told["tracks"]
    lines = [("run", told["run_id"]), ("tracks", ", ".join(f"{count} {name}" for name, count in tracks.items()))]
    if told["deleted"]:
        lines.append(("deleted", f"{told['deleted']} tracks of earlier scans are gone"))
    if told.get("duplicates"):
        lines.append(("duplicates", f"{told['duplicates']} files have the content of another, computed once"))
    if tracks.get("scanned") and tracks.get("unchanged") and not tracks.get("extracted"):
        lines.append(("", "nothing was new or changed, so nothing was extracted"))
    if "formats" in told:
        lines.append(("formats", ", ".join(f"{count} {name}" for name, count in told["formats"].items())))
        lines.append(("labels", ", ".join(f"{printable(name)} {count}" for name, count in told["labels"].items())))
    if "trials" in told:
        lines += _learned_lines(told)
    if "mlflow" in told:
        tracked = told["mlflow"]
        mend = f"was not told: {printable(tracked['reason'])}; `chordal track` does it later"
        lines.append(("mlflow", f"{tracked['address']} {mend if tracked['reason'] else 'run ' + tracked['run']}"))
    if "copies" in told:
        copies = told["copies"]
        mend = "" if copies["stored"] == copies["requested"] else "; `chordal run` with this recipe extracts the rest"
        lines.append(("copies", f"{copies['stored']} of {copies['requested']} altered copies learned from{mend}"))
    lines.append(("seconds", ", ".join(f"{name} {value:.1f}" for name, value in told["seconds"].items())))
    if told.get("report"):
        lines.append(("report", told["report"]))
    return lines


def _learned_lines(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a run learned."""
    trials, model, test = told["trials"], told["model"], told["scores"]["test"]
    lines = [
        ("trials", ", ".join(f"{count} {name}" for name, count in trials.items())),
        *_search_lines(told["search"]),
        ("model", f"{model['version']}  {model['family']}"),
        *([("champion", _verdict_words(told["verdict"]))] if "verdict" in told else []),
        ("test", _test_words(test, told["scores"]["of"])),
        ("split", _split_words(told["split"])),
    ]
    if (answers := told["answers"]) and answers["threshold"]:
        accuracy = "" if answers["accuracy"] is None else f", {answers['accuracy']:.1%} of them right"
        lines.append(("answers", f"{answers['coverage']:.1%} of the test{accuracy}; the rest is unsure"))
    if (leakage := told["leakage"]) and leakage["random_rows"] is not None:
        lines.append(("leakage", _leakage_words(leakage)))
    return lines


def _search_lines(search: dict[str, Any]) -> list[tuple[str, str]]:
    """Return how the search was done, and its best trials."""
    how = f"{search['strategy']}"
    if "speed_up" in search:
        how += f"; {search['trial_s']:.1f} s of trials in {search['wall_s']:.1f} s, speed-up {search['speed_up']:.2f}"
    lines = [("search", how)]
    for row in search["best"]:
        if row["rank"] is None:
            continue
        spread = "" if row["spread"] is None else f" \u00b1 {100 * row['spread']:.1f}"
        values = ", ".join(f"{name} {_short(value)}" for name, value in row["hyperparameters"].items())
        score = f"{row['score']:.1%}{spread}"
        lines.append(
            (f"  {row['rank']}.", f"{score}  trial {row['trial']}: {row['model']} on {row['features']}, {values}")
        )
    return lines


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _test_words(test: dict[str, Any], scored: str) -> str:
    interval = test["accuracy_interval"]
    between = f" ({interval['low']:.1%} to {interval['high']:.1%})" if interval else ""
    return f"accuracy {test['accuracy']:.1%}{between}, macro F1 {test['macro_f1']:.3f}, on {test['n']} {scored}"


def _leakage_words(leakage: dict[str, Any]) -> str:
    partings = (
        ("random_rows", "with rows at random"),
        ("neighbours_together", "with neighbours together"),
        ("whole_groups", "with whole groups"),
    )
    said = ", ".join(
        f"{leakage[key]:.1%} {how}" if leakage[key] is not None else f"unknown {how}" for key, how in partings
    )
    return f"one quick model says {said}"


def _verdict_words(verdict: dict[str, Any]) -> str:
    words = f"{verdict['state']}: {printable(verdict['reason'])}"
    return words if verdict["state"] == "promoted" else f"still {verdict['champion']}; {words}"


def _split_words(split: dict[str, Any]) -> str:
    parts = split["sizes"]
    if split["strategy"] == "rows":
        return "single rows at random: segments of one track stand on both sides"
    if len(parts) > 1:
        nested = " (nested)" if split["strategy"] == "nested" else ""
        return f"cross-validated over {len(parts)} partitions{nested}, {split['groups']} groups kept whole"
    size = next(iter(parts.values()))
    return f"{size['train']} train, {size['validation']} validation, {size['test']} test; groups kept whole"
