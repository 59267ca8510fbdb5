"""What is asked of a run, and its plan in the ledger."""

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.library import scan_summary
from pipeline.plans.recipe import Recipe, load_recipe
from pipeline.plans.run import Priority, Purpose, RunPlan
from pipeline.text import printable
from pipeline.versions import software_versions
from pipeline.wire import Value
from workers.broker.address import BrokerAddress

if TYPE_CHECKING:
    from storage import RunLedger


class RunRequest(Value, frozen=True, kw_only=True):
    """What the command line asked for."""

    command: tuple[str, ...]
    libraries: tuple[str, ...]
    recipe: Recipe
    labels: str = "folder"
    groups: str | None = None
    folds: str | None = None
    seed: int = 1
    extract: bool = True
    learn: bool = True
    workers: int | None = None
    broker: BrokerAddress | None = None
    max_duration_s: float = 4 * 3600.0
    priority: Priority = "normal"
    run_id: str | None = None
    """The id the run shall have; None for a new one."""
    purpose: Purpose = "library"
    chunk_s: float | None = None
    against: str | None = None
    """As in `RunPlan`; so are the two before, and the next."""
    tracking: str | None = None


class ScannedRun(Value, frozen=True, kw_only=True):
    """What came of a run, for the summary."""

    plan: RunPlan
    found: scan_summary.ScanSummary


def recipe_of(name: str, *, trials: int | None, quick: bool = False) -> Recipe:
    """Return a recipe by name or file, in its quick form when asked, with its number of trials overridden.

    Raises `UsageError` naming the recipe and the mistake.
    """
    from pipeline.learning.search.plan import check_models

    recipe = load_recipe(name)
    if quick:
        recipe = recipe.quickened()
    try:
        check_models(recipe)
    except UsageError as error:
        raise UsageError(f"recipe {printable(name)}: {str(error).removeprefix('recipe: ')}") from error
    return recipe.replace(search=recipe.search.replace(trials=trials)) if trials else recipe


def new_run_id() -> str:
    """Return an id that no run has."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def plan_run(wanted: RunRequest, ledger: "RunLedger") -> RunPlan:
    """Write the plan of a new run to the ledger and return it."""
    now = datetime.now(UTC)
    plan = RunPlan(
        run_id=wanted.run_id or new_run_id(),
        command=wanted.command,
        libraries=wanted.libraries,
        recipe=wanted.recipe,
        labels=wanted.labels,
        groups=wanted.groups,
        folds=wanted.folds,
        seed=wanted.seed,
        sequence=ledger.next_sequence(),
        created=now.isoformat(timespec="seconds"),
        extract=wanted.extract,
        learn=wanted.learn,
        max_duration_s=wanted.max_duration_s,
        priority=wanted.priority,
        purpose=wanted.purpose,
        chunk_s=wanted.chunk_s,
        against=wanted.against,
        tracking=wanted.tracking,
        versions=software_versions(),
    )
    ledger.create(plan)
    return plan
