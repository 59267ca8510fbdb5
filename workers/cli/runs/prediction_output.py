"""The output of predictions: lines for people, CSV or JSON for programs, each written as the predictions come."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal, Protocol

from pipeline.errors import UsageError
from pipeline.learning.evaluation import classes_scored
from pipeline.learning.study.results import Scores
from pipeline.learning.training.prediction import PredictionScores, TrackPrediction
from pipeline.library.vocabulary.near_equal import near_equal
from pipeline.library.vocabulary.tally import describe_pair
from pipeline.text import describe_position, printable
from workers.predict.predictions import Predictions

Form = Literal["table", "csv", "json"]

_WIDEST = 80
"""Characters of a path in a table on a terminal; longer ones are cut at their beginning."""


class Writer(Protocol):
    """Writes predictions one by one."""

    def write(self, prediction: TrackPrediction) -> None:
        """Write the next one."""
        ...

    def end(self, scores: PredictionScores | None) -> None:
        """Write what comes after the last one."""
        ...


def writer(form: Form, file: IO[str], predictions: Predictions, *, top: int | None, timeline: bool) -> Writer:
    """Return what writes predictions in a form; `timeline` adds the segments, which JSON always has."""
    if form == "json":
        return _Json(file, predictions)
    if form == "csv":
        return _Csv(file, top=top or 1, timeline=timeline)
    return _Lines(file, top=top or 1, timeline=timeline)


def form_of(out: str | None, *, as_json: bool, as_csv: bool) -> Form:
    """Return the form to write, by an option or by the ending of the file's name.

    Raises `UsageError` when two options name one.
    """
    if as_json and as_csv:
        raise UsageError("predict: --json and --csv are two forms; ask for one")
    ending = Path(out).suffix.lower() if out else ""
    if as_json or (not as_csv and ending == ".json"):
        return "json"
    return "csv" if as_csv or ending == ".csv" else "table"


def summary_lines(counts: dict[str, int], scores: PredictionScores | None) -> list[str]:
    """Return the lines for people that come after all predictions."""
    lines = [", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "no file"]
    if scores is None:
        return lines
    over_all = scores.scores
    if over_all.n:
        unsure = f", {scores.unsure:,} of them unsure" if scores.unsure else ""
        lines.append(
            f"accuracy {over_all.accuracy:.1%}, macro F1 {over_all.macro_f1:.3f}{_over(over_all)}, on {over_all.n:,} "
            f"labelled files{unsure}"
        )
    if scores.learned:
        lines.append(f"{scores.learned:,} labelled files are not scored: the model learned from them")
    if scores.unknown:
        words = ", ".join(f"{printable(label)} {count:,}" for label, count in scores.unknown.items())
        lines.append(f"labels that are no class of the model, which cannot be right: {words}")
        labels = {**dict.fromkeys(over_all.per_class, 1), **scores.unknown}
        near = [each for each in near_equal(labels) if not scores.unknown.keys().isdisjoint(each.labels)]
        lines += [f"{describe_pair(each)}; a --vocabulary makes true labels the model's" for each in near[:3]]
    return lines


def _over(scores: Scores) -> str:
    """Return which classes the macro F1 is the mean of, where these are not all."""
    scored, classes = classes_scored(scores), len(scores.per_class)
    return "" if scored == classes else f" over the {scored} of {classes} classes that occur"


class _Json:
    """One JSON object, a track at a time; odd bytes of file names stay escaped."""

    def __init__(self, file: IO[str], predictions: Predictions) -> None:
        self._file = file
        self._predictions = predictions
        model = predictions.model
        head = {
            "model": model.version,
            "family": model.family,
            "classes": list(predictions.classes),
            "extracted": predictions.extracted,
            **({"notes": list(predictions.notes)} if predictions.notes else {}),
        }
        file.write(json.dumps(head)[:-1] + ', "tracks": [')
        self._first = True

    def write(self, prediction: TrackPrediction) -> None:
        self._file.write(("" if self._first else ",") + "\n" + json.dumps(prediction.to_wire(), ensure_ascii=True))
        self._first = False

    def end(self, scores: PredictionScores | None) -> None:
        end = {
            "scores": scores.to_wire() if scores is not None else None,
            "unreadable": list(self._predictions.unreadable),
            "left_out": self._predictions.left_out.to_wire(),
        }
        self._file.write(f"\n], {json.dumps(end, ensure_ascii=True)[1:]}\n")


class _Csv:
    """A row for each file, or for each segment."""

    def __init__(self, file: IO[str], *, top: int, timeline: bool) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._top, self._timeline = top, timeline
        more = [name for n in range(2, top + 1) for name in (f"label_{n}", f"probability_{n}")]
        columns = ["path", *(["start_s"] if timeline else []), "label", "probability"]
        if not timeline:
            columns += ["unsure", *more, "truth", "learned"]
        self._writer.writerow([*columns, "kind", "reason"])

    def write(self, prediction: TrackPrediction) -> None:
        path = printable(prediction.path)
        failure = prediction.failure
        if failure is not None:
            blank = 3 if self._timeline else 5 + 2 * (self._top - 1)
            self._writer.writerow([path, *[""] * blank, failure.kind, printable(failure.reason)])
        elif self._timeline:
            for each in prediction.timeline:
                start = f"{each.start_s:.3f}"
                self._writer.writerow([path, start, printable(each.label), f"{each.probability:.6f}", "", ""])
        else:
            self._writer.writerow([path, *self._cells(prediction), "", ""])

    def _cells(self, prediction: TrackPrediction) -> list[str]:
        others = [
            text for label, share in _others(prediction, self._top) for text in (printable(label), f"{share:.6f}")
        ]
        others += [""] * (2 * (self._top - 1) - len(others))
        return [
            printable(prediction.label or ""),
            f"{prediction.probability:.6f}",
            _yes(prediction.unsure),
            *others,
            printable(prediction.truth or ""),
            _yes(prediction.learned),
        ]

    def end(self, scores: PredictionScores | None) -> None:
        """Write nothing: rows are all there is in CSV."""


class _Lines:
    """A line for each file, in columns that stay in place however many there are."""

    def __init__(self, file: IO[str], *, top: int, timeline: bool) -> None:
        self._file, self._top, self._timeline = file, top, timeline
        self._cut = _WIDEST if file is sys.stdout and sys.stdout.isatty() else None

    def write(self, prediction: TrackPrediction) -> None:
        path = printable(prediction.path)
        if self._cut is not None and len(path) > self._cut:
            path = "\u2026" + path[-self._cut + 1 :]
        if prediction.failure is not None:
            print(
                f"failed   {path}: {prediction.failure.kind}, {printable(prediction.failure.reason)}", file=self._file
            )
            return
        others = "".join(f", {printable(label)} {share:.1%}" for label, share in _others(prediction, self._top))
        label = printable(prediction.label or "")
        answer = f"unsure, perhaps {label}" if prediction.unsure else label
        truth = f", truly {printable(prediction.truth)}" if prediction.truth not in {None, prediction.label} else ""
        print(f"{prediction.probability:7.1%}  {path}: {answer}{others}{truth}", file=self._file)
        if self._timeline:
            for each in prediction.timeline:
                start = describe_position(each.start_s, decimals=1)
                print(f"         {start:>8}  {each.probability:6.1%}  {printable(each.label)}", file=self._file)

    def end(self, scores: PredictionScores | None) -> None:
        """Write nothing: the command shows the scores on standard error."""


def _others(prediction: TrackPrediction, top: int) -> Sequence[tuple[str, float]]:
    return list(prediction.probabilities.items())[1:top]


def _yes(flag: bool) -> str:
    return "yes" if flag else ""
