"""From the options of a command to the request of a run."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.runs import request
    from workers.service import state


def prepared(
    given: dict[str, Any], *, extract: bool, learn: bool
) -> "tuple[Path, request.RunRequest, state.Service | None]":
    """Return the home and the orders that a command line stands for, and the home's service if that does the work.

    Raises `UsageError` for a mistake in any of them.
    """
    from pipeline.library import imported
    from storage.home import prepare_home
    from workers.broker.address import BrokerAddress
    from workers.learning import mlflow_tracking
    from workers.runs import request
    from workers.service import state

    address = BrokerAddress.parse(given["broker"]) if given["broker"] else None
    recipe = request.recipe_of(given["recipe"], trials=given["trials"], quick=given["quick"])
    if given.get("mlflow") and (learn or given.get("learn_after")):
        mlflow_tracking.require_client(given["mlflow"])
    home = prepare_home(given["home"])
    served = state.find(home) if address is None else None
    if served is not None:
        address = served.broker
    wanted = request.RunRequest(
        command=shown_command(),
        libraries=tuple(
            imported.library_of(os.path.abspath(library))  # noqa: PTH100 - keeps odd bytes
            for library in given["libraries"]
        ),
        recipe=recipe,
        labels=given["labels"] or recipe.labels or "folder",
        groups=given["groups"],
        folds=given["folds"],
        seed=given["seed"],
        extract=extract,
        learn=learn,
        workers=given["workers"] if served is None else None,
        broker=address,
        max_duration_s=given["max_duration"],
        priority=given["priority"],
        tracking=given.get("mlflow"),
    )
    return home, wanted, served


def like_last_run(home: Path, wanted: "request.RunRequest", given: dict[str, Any]) -> "request.RunRequest":
    """Return a request with the libraries and labels of the home's last run, where it names none."""
    from pipeline.errors import UsageError
    from storage.home import Home

    ledger = Home(home).ledger
    runs = ledger.run_ids("library")
    if not runs:
        raise UsageError(f"home {given['home']}: nothing was ever extracted here; name a LIBRARY or run `chordal run`")
    last = ledger.plan(runs[-1])
    return wanted.replace(
        libraries=last.libraries,
        labels=given["labels"] or last.labels,
        groups=given["groups"] or last.groups,
        folds=given["folds"] or last.folds,
    )


def shown_command() -> tuple[str, ...]:
    """Return the command line as it was typed, for the report, without a broker's password."""
    from workers.broker.address import BrokerAddress

    words = ["chordal", *sys.argv[1:]]
    return tuple(BrokerAddress(url=word).without_password if "://" in word and "@" in word else word for word in words)
