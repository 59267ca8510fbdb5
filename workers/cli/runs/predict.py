"""`chordal predict`: a model's predictions of files and libraries."""

import os
import sys
from collections import Counter
from typing import Any

import click

from pipeline.errors import UsageError
from workers.cli import options
from workers.cli.lookup import existing_home
from workers.cli.output_files import output_file
from workers.cli.runs.request import command_line, rules_of
from workers.processes import signals


@click.command()
@click.argument("paths", nargs=-1, type=options.PathName(), required=True, metavar="PATH...")
@click.option("--model", metavar="VERSION", help="A version of `chordal models`.  [default: the champion]")
@click.option(
    "--top", type=click.IntRange(min=1), metavar="K", help="Tell the K most probable classes.  [default: 1; JSON: all]"
)
@click.option("--timeline", is_flag=True, help="Tell every segment of a file; JSON always does.")
@click.option(
    "--chunk-s",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Cut what is longer into chunks of this length first, e.g. 30, and judge each as if it were a file.",
)
@click.option(
    "--labels", metavar="SPEC", help="Compare with true labels, given as for `chordal run`; scores new files only."
)
@options.walk_options
@click.option(
    "--vocabulary",
    metavar="FILE",
    help="Fold the true labels by this one, 'none' for none.  [default: as the model's run did]",
)
@click.option("--out", metavar="FILE", help="Write here; a name in .json or .csv says which form.")
@click.option("--force", is_flag=True, help="Replace the file of --out.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a row for each file (with --timeline each segment).")
@click.option(
    "--max-duration",
    type=click.FloatRange(min=1),
    default=4 * 3600.0,
    metavar="SECONDS",
    help="Longer files are recorded as too_large.  [default: 14400]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes to start, if anything has to be extracted.  [default: one per core; none with --broker]",
)
@options.broker
@options.home
@options.as_json
def predict(
    paths: tuple[str, ...],
    model: str | None,
    top: int | None,
    chunk_s: float | None,
    labels: str | None,
    exclude: tuple[str, ...],
    vocabulary: str | None,
    out: str | None,
    max_duration: float,
    workers: int | None,
    broker: str | None,
    home_path: str,
    *,
    include_hidden: bool,
    timeline: bool,
    force: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Say what files and folders sound like: label, probability, and how it goes over time.

    \b
    For example:
        chordal predict song.mp3 --timeline
        chordal predict ~/Music --top 3 --csv --out labels.csv
        chordal predict concert.flac --chunk-s 30 --json
        chordal predict new-songs --labels folder

    Features that are stored are used, what is missing is extracted first. A file that cannot be read is listed with
    the reason, and the others go on; when none could be, the exit status is 1. "unsure" is the answer where the model
    abstains.
    """
    from pipeline.learning.training.prediction import ScoreCounter
    from pipeline.library.remarks import describe_remarks
    from pipeline.library.vocabulary.load import with_vocabulary
    from workers.broker.address import BrokerAddress
    from workers.cli.runs import prediction_output
    from workers.predict import predictions
    from workers.predict.request import PredictionRequest
    from workers.processes.environment import quiet_tensorflow
    from workers.runs.progress import View

    if vocabulary is not None and labels is None:
        raise UsageError("--vocabulary: folds true labels, and none are given; name them with --labels")
    signals.listen()
    quiet_tensorflow()
    form = prediction_output.form_of(out, as_json=as_json, as_csv=as_csv)
    rules = rules_of({"exclude": exclude, "include_hidden": include_hidden, "vocabulary": vocabulary})
    request = PredictionRequest(
        paths=tuple(os.path.abspath(path) for path in paths),  # noqa: PTH100 - keeps odd bytes
        model=model,
        top=top,
        chunk_s=chunk_s,
        labels=labels,
        max_duration_s=max_duration,
        broker=BrokerAddress.parse(broker) if broker else None,
        workers=workers,
        command=command_line(),
        rules=with_vocabulary(rules).replace(vocabulary=rules.vocabulary),
    )
    home = existing_home(home_path)
    counts: Counter[str] = Counter(predicted=0, unsure=0, failed=0)
    remarks = 0
    with output_file(out, force=force) as file, View(quiet=as_json) as view:
        results = predictions.predictions_for(home, request, view)
        counter = ScoreCounter(results.classes)
        writer = prediction_output.writer(form, file, results, top=top, timeline=timeline)
        for each in results:
            signals.check()
            counts["failed" if each.failure else "unsure" if each.unsure else "predicted"] += 1
            remarks += bool(each.note)
            counter.add([each])
            writer.write(each)
        scores = counter.scores()
        writer.end(scores)
        file.flush()
        for line in prediction_output.summary_lines(dict(counts), scores):
            view.line(f"model {results.model.version}: {line}")
        if words := describe_remarks(remarks):
            view.line(words)
    if out is not None and as_json:
        missed = {"unreadable": list(results.unreadable), "left_out": results.left_out.to_wire()}
        summary: dict[str, Any] = {"file": os.path.abspath(out), "model": results.model.version, **counts}  # noqa: PTH100
        summary["remarks"] = remarks
        options.emit({**summary, "scores": scores.to_wire() if scores is not None else None, **missed})
    if counts["failed"] and counts["failed"] == counts.total():
        sys.exit(1)
