"""The request for a run, and its plan in the ledger."""

import secrets
from datetime import UTC, datetime

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.learning.search.plan import check_models
from pipeline.learning.splits.preview import SplitPreview
from pipeline.library.layouts import with_official_split
from pipeline.library.scan_summary import ScanSummary
from pipeline.library.vocabulary.load import complete
from pipeline.plans.recipe import Recipe, load_recipe
from pipeline.plans.run import Priority, Purpose, RunPlan
from pipeline.plans.scan_rules import ScanRules
from pipeline.text import printable
from pipeline.versions import software_versions
from pipeline.wire import Value
from storage import RunLedger
from workers.broker.address import BrokerAddress


class RunRequest(Value, frozen=True, kw_only=True):
    """What somebody wants a run to do; fields without a description are as in `RunPlan`."""

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
    """Worker processes to start; None for one per core, or for none where `broker` is given."""
    broker: BrokerAddress | None = None
    """The broker to use; None for a private one."""
    max_duration_s: float = 4 * 3600.0
    priority: Priority = "normal"
    run_id: str | None = None
    """The id of the run; None for a new one."""
    purpose: Purpose = "library"
    chunk_s: float | None = None
    against: str | None = None
    tracking: str | None = None
    rules: ScanRules = ScanRules()


class ScannedRun(Value, frozen=True, kw_only=True):
    """A run whose scan is over."""

    plan: RunPlan
    found: ScanSummary
    """What the scan found."""
    split: SplitPreview = SplitPreview()
    """What the split of the recipe would be, as far as the scan tells."""


def recipe_of(name: str, *, trials: int | None, quick: bool = False, dual_mono: bool = False) -> Recipe:
    """Return a recipe by name or file, in its quick form if `quick`, with its number of trials overridden.

    With `dual_mono`, its loudness takes a mono file as from two loudspeakers.

    Raises `UsageError` naming the recipe and the mistake.
    """
    recipe = load_recipe(name)
    if quick:
        recipe = recipe.quick_form()
    if dual_mono:
        recipe = recipe.with_dual_mono()
    try:
        check_models(recipe)
        if recipe.vocabulary is not None:
            complete(recipe.vocabulary, "vocabulary")
    except UsageError as error:
        raise UsageError(f"recipe {printable(name)}: {str(error).removeprefix('recipe: ')}") from error
    return recipe.replace(search=recipe.search.replace(trials=trials)) if trials else recipe


def new_run_id() -> str:
    """Return an id that no run has."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def plan_run(request: RunRequest, ledger: RunLedger) -> RunPlan:
    """Write the plan of a new run to the ledger and return it."""
    plan = RunPlan(
        run_id=request.run_id or new_run_id(),
        command=request.command,
        libraries=request.libraries,
        recipe=with_official_split(request.recipe, request.folds),
        labels=request.labels,
        groups=request.groups,
        folds=request.folds,
        seed=request.seed,
        sequence=ledger.next_sequence(),
        created=now(),
        extract=request.extract,
        learn=request.learn,
        max_duration_s=request.max_duration_s,
        priority=request.priority,
        purpose=request.purpose,
        chunk_s=request.chunk_s,
        against=request.against,
        tracking=request.tracking,
        rules=request.rules,
        versions=software_versions(),
    )
    ledger.create(plan)
    return plan
