"""TensorBoard logs of a trial: its curves epoch by epoch, and its hyper-parameters with its score.

Written with TensorBoard's own record format and messages, which need no TensorFlow, so scikit-learn's trials have them
as well. Logs are optional: where they cannot be written, the trial goes on without.
"""

import logging
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.learning.models.callbacks import epoch_listener
from pipeline.learning.study.trials import Execution, TrialSpec
from pipeline.plans.recipe import Scalar

log = logging.getLogger(__name__)

_numbers = count()


class TrialLog:
    """The logs of one trial, below a folder of its own; without a folder nothing is written.

    `execution-0/<partition>/train` and `/validation` hold the curves, the folder itself the hyper-parameters and,
    once known, the score.
    """

    def __init__(self, folder: Path | None, spec: TrialSpec) -> None:
        self._folder = folder
        self._spec = spec

    @contextmanager
    def log_epochs(self, number: int, partition: str) -> Iterator[None]:
        """Write the epochs of the fits within as they end; the log of an earlier attempt is deleted first."""
        if self._folder is None:
            yield
            return
        folder = self._folder / f"execution-{number}" / _name(partition)
        shutil.rmtree(folder, ignore_errors=True)
        sides = {"": EventFile(folder / "train"), "val_": EventFile(folder / "validation")}

        def on_epoch(epoch: int, values: Mapping[str, float]) -> None:
            for prefix, file in sides.items():
                own = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith("val_") == bool(prefix)}
                file.scalars({f"epoch_{name}": value for name, value in own.items()}, step=epoch)

        with epoch_listener(on_epoch):
            yield

    def begin(self) -> None:
        """Write the hyper-parameters."""
        if self._folder is not None:
            for old in self._folder.glob("events.out.*"):
                old.unlink(missing_ok=True)
            about: dict[str, Scalar] = {"model": self._spec.family, "features": self._spec.features}
            EventFile(self._folder).hyperparameters({**about, **self._spec.hyperparameters})

    def log_score(self, execution: Execution) -> None:
        """Write the score of an execution that completed."""
        if self._folder is not None and execution.state == "completed":
            EventFile(self._folder).scalars({"validation_accuracy": execution.objective}, step=execution.number)


class EventFile:
    """One file of events that TensorBoard reads, made with the first event and opened for each, so readers see all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._is_broken = False

    def scalars(self, values: Mapping[str, float], *, step: int) -> None:
        """Add one value for each name."""

        def event(event_pb2: Any, summary_pb2: Any) -> Any:
            summary = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
            return event_pb2.Event(wall_time=time.time(), step=step, summary=summary_pb2.Summary(value=summary))

        if values:
            self._write(event)

    def hyperparameters(self, values: Mapping[str, Scalar]) -> None:
        """Add the hyper-parameters that TensorBoard's HParams page shows."""

        def event(event_pb2: Any, summary_pb2: Any) -> Any:
            from tensorboard.plugins.hparams import metadata, plugin_data_pb2  # type: ignore[import-untyped]

            session = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time(), group_name=self._folder.name)
            for name, value in values.items():
                if isinstance(value, bool):
                    session.hparams[name].bool_value = value
                elif isinstance(value, int | float):
                    session.hparams[name].number_value = value
                else:
                    session.hparams[name].string_value = value
            summary = summary_pb2.Summary.Value(
                tag=metadata.SESSION_START_INFO_TAG,
                metadata=metadata.create_summary_metadata(
                    plugin_data_pb2.HParamsPluginData(session_start_info=session)
                ),
                tensor=metadata.NULL_TENSOR,
            )
            return event_pb2.Event(wall_time=time.time(), summary=summary_pb2.Summary(value=[summary]))

        self._write(event)

    def _write(self, event: Callable[[Any, Any], Any]) -> None:
        if self._is_broken:
            return
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2  # type: ignore[import-untyped]
            from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

            is_new = self._path is None
            if self._path is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                # Sorted by time: TensorBoard reads the files of a folder one after the other.
                unique = f"{int(time.time()):010d}.{platform.node()}.{time.time_ns()}.{next(_numbers)}"
                self._path = self._folder / f"events.out.tfevents.{unique}"
            with self._path.open("ab") as file:
                records = RecordWriter(file)
                if is_new:
                    records.write(event_pb2.Event(file_version="brain.Event:2").SerializeToString())
                records.write(event(event_pb2, summary_pb2).SerializeToString())
        except (ImportError, OSError) as error:
            self._is_broken = True
            log.warning("no TensorBoard log in %s: %s", self._folder, error)


def _name(partition: str) -> str:
    """Return a partition's name as the name of a folder; a fold may have any name."""
    name = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in partition)
    return name.strip(".") or "_"
