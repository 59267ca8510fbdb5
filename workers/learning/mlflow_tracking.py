"""A run in MLflow: its study, every trial with its curves, the scores, the report and the model.

Optional: `pip install 'chordal[mlflow]'`. A run is logged once, however often this is called; an MLflow that is away
never fails a run, whose results are in the home: `chordal track` logs it later.
"""

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import StoreError, UsageError
from pipeline.learning.study.results import EvaluationReport
from pipeline.learning.study.trials import TrialOutcome
from pipeline.passwords import ESCAPES, has_odd_password, without_password
from pipeline.plans.recipe_toml import recipe_toml
from pipeline.text import printable
from storage.home import Home
from storage.ledger.runs import MlflowRecord
from workers.learning.metrics import parameters, scores

log = logging.getLogger(__name__)

RUN_TAG = "chordal.run_id"
_PARENT_TAG = "mlflow.parentRunId"
_AT_ONCE = 100
"""Parameters that MLflow takes in one call; it takes ten times as many metrics."""
_LONGEST = 500
"""Characters of a parameter that every MLflow takes."""

_SETTINGS = {
    # Who wants tracking does not thereby want this.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # The default waits for minutes for a server that is away.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


_SCHEMES = frozenset({"http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks"})
"""What MLflow keeps runs behind; it gave up folders of files."""


def require_client(address: str) -> None:
    """Raise `UsageError` when MLflow's client is not installed here, or an address is not that of an MLflow."""
    if find_spec("mlflow") is None:
        raise UsageError("mlflow: not installed here; `pip install 'chordal[mlflow]'` adds it")
    scheme = address.partition(":")[0].partition("+")[0]
    if scheme not in _SCHEMES or (":" not in address and address != "databricks") or _is_broken(address):
        escapes = f"; {ESCAPES}" if has_odd_password(address) else ""
        raise UsageError(
            f"mlflow {without_password(address)}: not an address; give http://HOST:5000 or "
            f"sqlite:////PATH/mlflow.db{escapes}"
        )


def _is_broken(address: str) -> bool:
    """Return whether an address with a user in it was read apart at a character of the password."""
    try:
        parts = urlsplit(address)
        is_whole = parts.port != 0 and not parts.fragment
    except ValueError:
        return True
    return not is_whole or (parts.netloc != "" and "@" in address and "@" not in parts.netloc)


def log_run(home: Home, run_id: str) -> None:
    """Log a run to the MLflow that its plan names, if any; an error is recorded in the ledger, and fails nothing."""
    address = home.ledger.plan(run_id).tracking
    if address is None:
        return
    try:
        tracked = track(home, run_id, address)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - a tracker's client may raise anything, and the run's results are safe
        reason = _without_address(f"{type(error).__name__}: {error}", address)
        tracked = MlflowRecord(address=without_password(address), reason=reason)
        log.warning("run %s was not logged to MLflow %s: %s", run_id, tracked.address, tracked.reason)
    home.ledger.put_mlflow_record(run_id, tracked)


def track(home: Home, run_id: str, address: str) -> MlflowRecord:
    """Log a run that has learned to an MLflow, unless it was logged before, and return where it is there.

    Raises `UsageError` when MLflow is not installed, the address is none of one, or the run has not learned.
    """
    require_client(address)
    evaluation = home.ledger.report(run_id)
    if evaluation is None:
        raise UsageError(f"run {run_id}: has not learned anything that could be tracked")
    with _client(address) as client:
        return _RunLogger(client, home, run_id, evaluation, address).log()


@contextmanager
def _client(address: str) -> Iterator[Any]:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        # MLflow's own, about what it uses; none of them says anything about a run.
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        for chatty in ("mlflow", "alembic"):  # now: MLflow sets its own when it is imported
            logging.getLogger(chatty).setLevel(logging.WARNING)
        try:
            yield _connected(MlflowClient, address)
        except MlflowException as error:
            reason = _without_address(str(error), address)
            if "Max retries exceeded" in reason:
                reason = "does not answer; is it running, and is this its address"
            raise UsageError(f"mlflow {without_password(address)}: {reason}") from error


def _connected(client: type[Any], address: str) -> Any:
    """Return a client of an MLflow; raises `UsageError` for a database that cannot be opened as its address says."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return client(tracking_uri=address)
    except (OSError, ImportError, SQLAlchemyError) as error:  # of a path, of a database's driver, of its address
        reason = _without_address(str(error), address)
        raise UsageError(f"mlflow {without_password(address)}: cannot be opened ({reason})") from error


def _without_address(text: str, address: str) -> str:
    """Return what a library says in one line, with the address as it may be shown."""
    return " ".join(text.replace(address, without_password(address)).split())[:_LONGEST]


class _RunLogger:
    """Logs one run to an MLflow."""

    def __init__(self, client: Any, home: Home, run_id: str, evaluation: EvaluationReport, address: str) -> None:
        self._client = client
        self._home = home
        self._run_id = run_id
        self._plan = home.ledger.plan(run_id)
        self._evaluation = evaluation
        self._address = address

    def log(self) -> MlflowRecord:
        """Log all of the run, and return where it is."""
        experiment = self._experiment()
        known = self._client.search_runs([experiment], filter_string=f"tags.`{RUN_TAG}` = '{self._run_id}'")
        for run in known:
            if run.info.status == "FINISHED":
                return self._tracked(run.info.run_id, experiment)
        for run in known:  # broken off, no matter how far it was
            self._client.delete_run(run.info.run_id)
        parent = self._client.create_run(
            experiment, tags={RUN_TAG: self._run_id, **self._tags()}, run_name=f"{self._run_id} {self._model.version}"
        ).info.run_id
        self._batch(parent, parameters(self._plan, self._evaluation), scores(self._evaluation))
        for outcome in self._home.ledger.outcomes(self._run_id):
            self._log_trial(experiment, parent, outcome)
        self._log_files(parent)
        self._client.set_terminated(parent)
        return self._tracked(parent, experiment)

    @property
    def _model(self) -> Any:
        return self._evaluation.model

    def _tracked(self, run: str, experiment: str) -> MlflowRecord:
        return MlflowRecord(address=without_password(self._address), experiment=experiment, run=run)

    def _experiment(self) -> str:
        name = f"chordal/{self._plan.recipe.name}"
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=_artifacts_of(self._address)))

    def _tags(self) -> dict[str, str]:
        verdict = self._home.champions.verdict(self._model.version)
        tags = {"chordal.model": self._model.version, "chordal.command": " ".join(map(printable, self._plan.command))}
        tags |= {f"version.{name}": version for name, version in self._model.versions.items()}
        if verdict is not None:
            tags |= {"chordal.verdict": verdict.state, "chordal.verdict_reason": verdict.reason}
        return {name: text[:_LONGEST] for name, text in tags.items()}

    def _log_trial(self, experiment: str, parent: str, outcome: TrialOutcome) -> None:
        spec = outcome.spec
        tags = {_PARENT_TAG: parent, "chordal.host": outcome.host, "chordal.state": outcome.state}
        if outcome.reason:
            tags["chordal.reason"] = outcome.reason[:_LONGEST]
        run = self._client.create_run(experiment, tags=tags, run_name=f"trial {spec.index} {spec.family}").info.run_id
        parameters = {"family": spec.family, "features": spec.features, "seed": spec.seed, **spec.hyperparameters}
        metrics = [("validation_accuracy", outcome.objective, 0), ("seconds", outcome.seconds, 0)]
        for fit in outcome.fits:
            where = f"{fit.partition}/" if len(outcome.fits) > 1 else ""
            metrics.append((f"{where}fit_validation_accuracy", fit.validation_accuracy, 0))
            for name, curve in fit.curves.items():
                metrics += [(f"{where}{name}", value, epoch) for epoch, value in enumerate(curve, start=1)]
        self._batch(run, parameters, metrics if outcome.state == "completed" else metrics[1:])
        self._client.set_terminated(run, status="FINISHED" if outcome.state == "completed" else "FAILED")

    def _batch(self, run: str, parameters: Mapping[str, Any], metrics: list[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric, Param

        params = [Param(_name(key), str(value)[:_LONGEST]) for key, value in parameters.items()]
        values = [Metric(_name(key), float(value), 0, step) for key, value, step in metrics]
        for first in range(0, max(len(params), len(values)), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            self._client.log_batch(run, metrics=values[part], params=params[part])

    def _log_files(self, run: str) -> None:
        """Log the recipe, the report with all pictures in it, and the model's files."""
        from workers.learning import report as learning_report

        folder = self._home.ledger.path(self._run_id)
        self._client.log_text(run, recipe_toml(self._plan.recipe), "recipe.toml")
        with tempfile.TemporaryDirectory() as made:
            report = folder / "report.html"
            if not report.exists():
                # The run's own comes last of all, as it says that the run is over.
                report = Path(made) / "report.html"
                learning_report.write_page(report, learning_report.content(self._home, self._run_id))
            self._client.log_artifact(run, str(report))
        model = self._home.registry.get(self._model.version)
        for name in model.files:
            within = Path("model") / Path(name).parent
            self._client.log_artifact(run, str(Path(model.path) / name), artifact_path=within.as_posix())


def _artifacts_of(address: str) -> str | None:
    """Return where the files of an experiment go: beside a database in a file, else where the server says."""
    if not address.startswith("sqlite:///"):
        return None
    folder = Path(address.removeprefix("sqlite:///")).absolute().parent / "mlflow-artifacts"
    return folder.as_uri()


def _name(text: str) -> str:
    """Return a name that MLflow takes."""
    return re.sub(r"[^A-Za-z0-9_. /-]", "_", text).strip("/")[:250] or "_"
