"""What a command tells at its end, for people and for machines: read from the ledger, never from the broker."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.learning import DatasetManifest, EvaluationReport, Scores, Split
from pipeline.tracks import printable
from workers import learning, stages
from workers.context import Doors
from workers.tables import show_facts

if TYPE_CHECKING:
    from workers.running import Finished


def of_run(home: Path, finished: "Finished") -> dict[str, Any]:
    """Return the summary of a run that ended, as `--json` prints it."""
    context = Doors(home)
    run_id = finished.plan.run_id
    told: dict[str, Any] = {
        "run_id": run_id,
        "tracks": {"scanned": finished.found.files, **stages.track_counts(context, finished.plan)},
        "deleted": finished.found.gone,
        "labels": finished.found.labels,
    }
    report = context.ledger.report(run_id)
    if report is not None:
        told |= _learned(context, run_id, report)
    return told | {
        "report": _existing(context.ledger.path(run_id) / "report.html"),
        "seconds": stages.seconds(context, run_id),
    }


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
    requested = len(context.ledger.trials(run_id) or ())
    outcomes = context.ledger.outcomes(run_id)
    manifest, split = learning.study(context, run_id)
    return {
        "trials": {
            "requested": requested,
            "completed": sum(outcome.state == "completed" for outcome in outcomes),
            "failed": sum(outcome.state == "failed" for outcome in outcomes),
        },
        "model": {"version": report.model.version, "family": report.model.family, "path": report.model.path},
        **_champion(context, report.model.version),
        **_tracked(context, run_id),
        **_copies(context, run_id, manifest),
        "scores": {"validation": _scores(report.validation), "test": _scores(report.test)},
        "split": {
            "strategy": split.strategy,
            "groups": split.groups,
            "seed": split.seed,
            "sizes": _sizes(split),
            "excluded": len(manifest.excluded),
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
    return {name: wire[name] for name in ("accuracy", "macro_f1", "n", "per_class")}


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


def _lines(told: dict[str, Any]) -> list[tuple[str, str]]:
    tracks = told["tracks"]
    lines = [("run", told["run_id"]), ("tracks", ", ".join(f"{count} {name}" for name, count in tracks.items()))]
    if told["deleted"]:
        lines.append(("deleted", f"{told['deleted']} tracks of earlier scans are gone"))
    if tracks.get("scanned") and tracks.get("unchanged") and not tracks.get("extracted"):
        lines.append(("", "nothing was new or changed, so nothing was extracted"))
    if "formats" in told:
        lines.append(("formats", ", ".join(f"{count} {name}" for name, count in told["formats"].items())))
        lines.append(("labels", ", ".join(f"{printable(name)} {count}" for name, count in told["labels"].items())))
    if "trials" in told:
        trials, model, test = told["trials"], told["model"], told["scores"]["test"]
        lines += [
            ("trials", ", ".join(f"{count} {name}" for name, count in trials.items())),
            ("model", f"{model['version']}  {model['family']}"),
            ("test", f"accuracy {test['accuracy']:.1%}, macro F1 {test['macro_f1']:.3f}, on {test['n']} tracks"),
            ("split", _split_words(told["split"])),
        ]
    if "verdict" in told:
        lines.insert(-2, ("champion", _verdict_words(told["verdict"])))
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


def _verdict_words(verdict: dict[str, Any]) -> str:
    words = f"{verdict['state']}: {printable(verdict['reason'])}"
    return words if verdict["state"] == "promoted" else f"still {verdict['champion']}; {words}"


def _split_words(split: dict[str, Any]) -> str:
    parts = split["sizes"]
    if split["strategy"] == "folds":
        return f"cross-validated over {len(parts)} folds, {split['groups']} groups kept whole"
    size = next(iter(parts.values()))
    return f"{size['train']} train, {size['validation']} validation, {size['test']} test; groups kept whole"
