"""From the options of a command to the request for a run."""

import os
import sys
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from pipeline.passwords import without_password
from pipeline.plans.scan_rules import ScanRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.home import Home
    from workers.runs.request import RunRequest
    from workers.service.state import Service

NOTIFY = "--notify"

VOCABULARY_NAMES = ("default", "none")
"""What `--vocabulary` takes beside a file."""


def parse_request(given: dict[str, Any], *, extract: bool, learn: bool) -> "tuple[Home, RunRequest, Service | None]":
    """Return the home of a command line, made if need be, its request, and the service if that does the work.

    Raises `UsageError` for a mistake in any of the options.
    """
    from pipeline.library import imported
    from pipeline.library.vocabulary.load import with_vocabulary
    from storage.home import prepare_home
    from workers.broker.address import BrokerAddress
    from workers.learning import mlflow_tracking
    from workers.processes.host_limits import require_for_workers
    from workers.runs.request import RunRequest, recipe_of
    from workers.service import state

    address = BrokerAddress.parse(given["broker"]) if given["broker"] else None
    recipe = recipe_of(given["recipe"], trials=given["trials"], quick=given["quick"], dual_mono=given["dual_mono"])
    if given.get("leave_out_classes"):
        recipe = recipe.replace(training=recipe.training.replace(lost_classes="leave_out"))
    if given.get("mlflow") and (learn or given.get("learn_after")):
        mlflow_tracking.require_client(given["mlflow"])
    home = prepare_home(given["home_path"])
    service = state.find(home.path) if address is None else None
    if service is not None:
        address = service.broker
    elif address is None or given["workers"]:
        require_for_workers(given["workers"])  # before a scan that may take an hour
    libraries = tuple(
        imported.library_of(os.path.abspath(library))  # noqa: PTH100 - keeps odd bytes
        for library in given["libraries"]
    )
    given = with_layout(given, libraries)
    request = RunRequest(
        command=command_line(),
        libraries=libraries,
        recipe=recipe,
        labels=given["labels"] or recipe.labels or "folder",
        groups=given["groups"],
        folds=given["folds"],
        seed=given["seed"],
        extract=extract,
        learn=learn,
        workers=given["workers"] if service is None else None,
        broker=address,
        max_duration_s=given["max_duration"],
        priority=given["priority"],
        tracking=given.get("mlflow"),
        rules=with_vocabulary(rules_of(given), recipe.vocabulary, recipe.name),
    )
    return home, request, service


def with_layout(given: dict[str, Any], libraries: "Sequence[str]") -> dict[str, Any]:
    """Return options with the labels, groups and folds of `--layout`, where they are not given by themselves.

    Raises `UsageError` for a layout whose tables are not there.
    """
    name = given.get("layout")
    if name is None:
        return given
    from pipeline.library.layouts import LAYOUTS, layout_specs

    if not libraries:
        raise UsageError(f"--layout {name}: name the LIBRARY that is laid out so")
    options = {"label": "labels", "group": "groups", "fold": "folds"}
    found = {options[role]: spec for role, spec in layout_specs(name, libraries).items()}
    exclude = tuple(dict.fromkeys((*given.get("exclude", ()), *LAYOUTS[name].exclude)))
    return {**given, **{option: given.get(option) or spec for option, spec in found.items()}, "exclude": exclude}


def rules_of(given: dict[str, Any]) -> ScanRules:
    """Return the rules of a scan that the options of a command name, the file of a vocabulary by its whole path."""
    rules = ScanRules(**{name: given[name] for name in ScanRules.__struct_fields__ if name in given})
    return rules.replace(vocabulary=vocabulary_place(rules.vocabulary))


def vocabulary_place(given: str | None) -> str | None:
    """Return a vocabulary's name, or the absolute path of its file."""
    if not given or given in VOCABULARY_NAMES:
        return given
    return os.path.abspath(os.path.expanduser(given))  # noqa: PTH100, PTH111 - keeps odd bytes


def like_last_run(home: "Home", request: "RunRequest", given: dict[str, Any]) -> "RunRequest":
    """Return a request with the libraries and labels of the home's last run, where it names none."""
    runs = home.ledger.run_ids("library")
    if not runs:
        raise UsageError(
            f"home {given['home_path']}: nothing was ever extracted here; name a LIBRARY or run `chordal run`"
        )
    last = home.ledger.plan(runs[-1])
    return request.replace(
        libraries=last.libraries,
        labels=given["labels"] or last.labels,
        groups=given["groups"] or last.groups,
        folds=given["folds"] or last.folds,
        rules=_like_last(request.rules, last.rules, given),
    )


def _like_last(rules: ScanRules, last: ScanRules, given: dict[str, Any]) -> ScanRules:
    """Return the rules of the last run with those that a command names."""
    defaults = ScanRules()
    fields = set(ScanRules.__struct_fields__) - {"vocabulary", "folding"}
    named = {name: value for name in fields if (value := getattr(rules, name)) != getattr(defaults, name)}
    if given["vocabulary"] is not None or rules.folding is not None:  # with its name, or without one
        named |= {"vocabulary": rules.vocabulary, "folding": rules.folding}
    return last.replace(**named)


def command_line() -> tuple[str, ...]:
    """Return the command line as it was typed, for the report, without passwords and whom it notifies."""
    from workers.notices.targets import mask

    words = ["chordal", *sys.argv[1:]]
    for at, word in enumerate(words):
        if at and words[at - 1] == NOTIFY:
            words[at] = mask(word)
        elif word.startswith(f"{NOTIFY}="):
            words[at] = f"{NOTIFY}={mask(word.partition('=')[2])}"
    return tuple(without_password(word) if "://" in word else word for word in words)
