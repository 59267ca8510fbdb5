"""A summary in words, for people."""

from collections.abc import Sequence
from typing import Any

from pipeline.learning.splits.preview import SplitPreview, describe_groups
from pipeline.library.folders.left_out import LeftOut, describe_left_out
from pipeline.library.remarks import describe_remarks
from pipeline.library.scan_summary import describe_cut_tags
from pipeline.library.unlabelled import describe_unlabelled
from pipeline.library.vocabulary.tally import FoldCounts, LabelFindings, short
from pipeline.plans.objectives import TITLES, describe_objective
from pipeline.text import printable

_MOST_WARNINGS = 6
"""Warnings that are shown for people; the report has them all."""

_MOST_SHEETS = 3
"""Cue sheets that are named for people."""


def summary_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a summary as names and words, in order."""
    lines = [("run", summary["run_id"]), ("tracks", _track_words(summary))]
    lines += [*_change_lines(summary), *_library_lines(summary)]
    if "trials" in summary:
        lines += _learned_lines(summary)
    if "mlflow" in summary:
        tracked = summary["mlflow"]
        mend = f"was not told: {printable(tracked['reason'])}; `chordal track` does it later"
        lines.append(("mlflow", f"{tracked['address']} {mend if tracked['reason'] else 'run ' + tracked['run']}"))
    if "copies" in summary:
        copies = summary["copies"]
        mend = "" if copies["stored"] == copies["requested"] else "; `chordal run` with this recipe extracts the rest"
        others = copies["stored"] - copies["learned"]
        rest = f"; {others} of validation or test tracks were not" if others else ""
        words = f"{copies['learned']} of {copies['requested']} altered copies learned from{rest}{mend}"
        lines.append(("copies", words))
    lines += _warning_lines(summary.get("warnings", ()))
    lines.append(("seconds", ", ".join(f"{name} {value:.1f}" for name, value in summary["seconds"].items())))
    if summary.get("report"):
        lines.append(("report", summary["report"]))
    return lines


def _warning_lines(warnings: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return what a reader of the scores should know first."""
    lines = [
        ("warning", f"{printable(each['what'])}{'; ' + printable(each['mend']) if each['mend'] else ''}")
        for each in warnings[:_MOST_WARNINGS]
    ]
    if len(warnings) > _MOST_WARNINGS:
        lines.append(("warning", f"and {len(warnings) - _MOST_WARNINGS} more, at the top of the report"))
    return lines


def _change_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return how the files differ from those of before and from each other."""
    tracks = summary["tracks"]
    lines = []
    if summary["deleted"]:
        lines.append(("deleted", f"{summary['deleted']} tracks of earlier scans are gone"))
    if summary.get("duplicates"):
        have = "file has" if summary["duplicates"] == 1 else "files have"
        lines.append(("duplicates", f"{summary['duplicates']} {have} the content of another, computed once"))
    if words := describe_remarks(summary.get("remarks", 0)):
        lines.append(("remarks", words))
    if retagged := summary.get("retagged"):
        have = "file has" if retagged == 1 else "files have"
        lines.append(("retagged", f"{retagged} {have} other tags around the same sound; nothing of it was decoded"))
    elif tracks.get("scanned") and tracks.get("unchanged") and not tracks.get("extracted"):
        lines.append(("", "nothing was new or changed, so nothing was extracted"))
    return lines


def _library_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is in the libraries, and what of it is odd or was left out."""
    lines = []
    if "formats" in summary:
        lines.append(("formats", ", ".join(f"{count} {name}" for name, count in summary["formats"].items())))
        lines.append(("labels", ", ".join(f"{short(name)} {count}" for name, count in summary["labels"].items())))
        if several := summary["all_labels"]:
            lines.append(("all labels", ", ".join(f"{short(name)} {count}" for name, count in several.items())))
        lines += [*_split_preview(summary), *_tag_lines(summary)]
    lines += _label_lines(summary)
    if sheets := _sheet_words(summary.get("cue_sheets", {})):
        lines.append(("cue sheets", sheets))
    lines += _missed_lines(summary)
    lines += [("note" if not at else "", printable(note)) for at, note in enumerate(summary.get("notes", ()))]
    return lines


def _split_preview(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the groups and folds that a scan found, and what the split of the recipe would be."""
    preview = SplitPreview.from_wire(summary["split"])
    words = describe_groups(preview)
    lines = [("groups" if preview.groups else "folds", words)] if words else []
    if preview.words:
        lines.append(("split", f"the default recipe's would be {preview.words}"))
    if preview.reason:
        lines.append(("split", f"none is possible: {preview.reason}"))
    return lines


def _track_words(summary: dict[str, Any]) -> str:
    """Return the counts of tracks, with what becomes of those that lack something."""
    lacking = {"ungrouped": "without a group", "unfolded": "without a fold"}
    if "model" in summary:
        lacking["unlabelled"] = "unlabelled (extracted, not learned from)"
    return ", ".join(f"{count} {lacking.get(name, name)}" for name, count in summary["tracks"].items())


def _tag_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return of which files a scan found no label, and what of their tags it left."""
    lines = []
    if summary["unlabelled"]:
        folded = FoldCounts.from_wire(summary["folded"]) if summary.get("folded") else None
        lines.append(("", describe_unlabelled(summary["unlabelled"], summary["labels_from"], folded)))
    if summary["cut_tags"]:
        lines.append(("", describe_cut_tags(summary["cut_tags"])))
    return lines


def _missed_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what of the libraries was not scanned, and why."""
    lines = [("", words) for words in describe_left_out(LeftOut.from_wire(summary.get("left_out", {})))]
    if unreadable := summary.get("unreadable"):
        more = f", and {len(unreadable) - 1:,} more" if len(unreadable) > 1 else ""
        lines.insert(0, ("unreadable", f"{unreadable[0]}{more}; what was in there before is kept"))
    return lines


def _sheet_words(sheets: dict[str, Any]) -> str:
    """Return what became of cue sheets; an empty string where there were none."""
    parts = []
    if sheets.get("used"):
        albums = f"{sheets['albums']} {'album' if sheets['albums'] == 1 else 'albums'}"
        parts.append(f"{sheets['used']} used, which cut {albums} into {sheets['tracks']} tracks (--no-cue: none)")
    for name, words in (("unused", "not used"), ("notes", "to be checked")):
        if found := sheets.get(name):
            more = "" if len(found) <= _MOST_SHEETS else f"; and {len(found) - _MOST_SHEETS} more, see --json"
            parts.append(f"{len(found)} {words}: {'; '.join(found[:_MOST_SHEETS])}{more}")
    return "; ".join(parts)


def _label_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is odd in the labels, and what a vocabulary folded."""
    fields = {name: summary[name] for name in LabelFindings.__struct_fields__ if name in summary}
    return [("", line) for line in LabelFindings.from_wire(fields).lines]


def _learned_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a run learned."""
    trials, model, test = summary["trials"], summary["model"], summary["scores"]["test"]
    lines = [
        ("trials", ", ".join(f"{count} {name}" for name, count in trials.items())),
        *_resumption_lines(summary),
        *_search_lines(summary["search"]),
        ("model", f"{model['version']}  {model['family']}"),
        *([("champion", _verdict_words(summary["verdict"]))] if "verdict" in summary else []),
        ("test", _test_words(test, summary["scores"]["of"]) + _baseline_words(summary)),
        ("split", _split_words(summary["split"])),
    ]
    if (answers := summary["answers"]) and answers["threshold"]:
        reached = "" if answers["accuracy"] is None else f", {answers['accuracy']:.1%} of them right"
        lines.append(
            (
                "answers",
                f"{answers['coverage']:.1%} of the test{reached}, {answers['asked']:.0%} asked; the rest is unsure",
            )
        )
    if (leakage := summary["leakage"]) and leakage["random_rows"] is not None:
        lines.append(("leakage", _leakage_words(leakage)))
    return lines


def _resumption_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what was taken over from an interrupted search."""
    if "continues" not in summary:
        return []
    count = summary["taken_over"]
    return [
        ("continues", f"run {summary['continues']}: {count} of its trials {'was' if count == 1 else 'were'} taken over")
    ]


def _search_lines(search: dict[str, Any]) -> list[tuple[str, str]]:
    """Return how the search was done, and its best trials."""
    objective = search.get("objective", "accuracy")
    how = search["strategy"] + ("" if objective == "accuracy" else f", by {TITLES[objective]} of validation")
    if "speed_up" in search:
        how += f"; {search['trial_s']:.1f} s of trials in {search['wall_s']:.1f} s, speed-up {search['speed_up']:.2f}"
    lines = [("search", how)]
    for row in search["best"]:
        if row["rank"] is None:
            continue
        spread = "" if row["spread"] is None else f" \u00b1 {100 * row['spread']:.1f}"
        values = ", ".join(f"{name} {_short(value)}" for name, value in row["hyperparameters"].items())
        score = f"{describe_objective(objective, row['score'])}{spread}"
        lines.append(
            (f"  {row['rank']}.", f"{score}  trial {row['trial']}: {row['model']} on {row['features']}, {values}")
        )
    return lines


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _test_words(test: dict[str, Any], scored: str) -> str:
    interval = test["accuracy_interval"]
    between = f" ({interval['low']:.1%} to {interval['high']:.1%})" if interval else " (one group: no interval)"
    occurring, classes = test["classes_scored"], len(test["per_class"])
    over = "" if occurring == classes else f" over the {occurring} of {classes} classes that occur"
    return f"accuracy {test['accuracy']:.1%}{between}, macro F1 {test['macro_f1']:.3f}{over}, on {test['n']} {scored}"


def _baseline_words(summary: dict[str, Any]) -> str:
    return f"; always the largest class {summary['baseline']:.1%}" if "baseline" in summary else ""


def _leakage_words(leakage: dict[str, Any]) -> str:
    partings = (
        ("random_rows", "with rows at random"),
        ("neighbours_together", "with neighbours together"),
        ("whole_groups", "with whole groups"),
    )
    words = ", ".join(
        f"{leakage[key]:.1%} {how}" if leakage[key] is not None else f"unknown {how}" for key, how in partings
    )
    who = "one quick model, a stand-in for the chosen one," if leakage.get("is_stand_in") else "the chosen model"
    unknown = (
        "" if leakage.get("knows_groups", True) else "; no groups are known, so unseen ones cannot be told (--groups)"
    )
    return f"{who} says {words}{unknown}"


def _verdict_words(verdict: dict[str, Any]) -> str:
    words = f"{verdict['state']}: {printable(verdict['reason'])}"
    return words if verdict["state"] == "promoted" else f"still {verdict['champion']}; {words}"


def _split_words(split: dict[str, Any]) -> str:
    parts = split["sizes"]
    if split["strategy"] == "rows":
        return _row_words(parts["rows"], split["torn"])
    if len(parts) > 1:
        nested = " (nested)" if split["strategy"] == "nested" else ""
        return f"cross-validated over {len(parts)} partitions{nested}, {split['groups']} groups kept whole"
    size = next(iter(parts.values()))
    return f"{size['train']} train, {size['validation']} validation, {size['test']} test; groups kept whole"


def _row_words(size: dict[str, int], torn: int | None) -> str:
    if torn is None:
        return "single rows at random"  # by an older chordal
    both = f"segments of {torn} tracks stand on both sides" if torn else "each is of a track of its own"
    return f"{size['train']} train, {size['validation']} validation, {size['test']} test, single rows at random: {both}"
