"""Publishing a run's tasks: in a thread of the command that waits, and no faster than the workers take them."""

import threading
from collections.abc import Sequence

from pipeline.errors import StoreError
from pipeline.plans.run import RunPlan
from workers.app import canvas
from workers.app.context import Context
from workers.app.settings import QUEUES
from workers.broker.health import BROKER_ERRORS
from workers.extraction import orders as extraction_orders
from workers.extraction import seal, stored
from workers.runs.state import RunState, Step

QUEUE_BOUND = 4_000
"""Tasks that wait or run beyond which publishing pauses: what keeps the broker's memory flat."""


class Publisher:
    """The thread that publishes what a run lacks; started again for what was lost since."""

    def __init__(self, context: Context, plan: RunPlan) -> None:
        self._context = context
        self._plan = plan
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it still has something to publish."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to publish every shard that is not sealed, and to start learning when none is left."""
        again = self._thread is not None
        self._thread = threading.Thread(target=self._publish, kwargs={"again": again}, name="publisher")
        self._thread.start()

    def stop(self) -> None:
        """Publish no more, and wait until that is so."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _publish(self, *, again: bool) -> None:
        context, plan = self._context, self._plan
        try:
            if plan.extract:
                publish_shards(context, plan, stop=self._stop, again=again)
                # A worker that seals the last shard does this too, but there may be none that needs one.
                may_learn = seal.claim_learning(context, plan.run_id)
            else:
                may_learn = context.ledger.claim(plan.run_id, "learning")
            if may_learn:
                canvas.publish_plan(plan)
        except StoreError as error:
            context.counters.stop(plan.run_id, str(error))
        except BROKER_ERRORS:
            return  # the sweep has the rest published when the broker is back


def publish_shards(context: Context, plan: RunPlan, *, stop: threading.Event, again: bool = False) -> None:
    """Publish every shard of a scanned run that is not sealed, pausing while the queues are full.

    Files that are stored already are counted in the run's progress, unless all this is done `again`.
    """
    state = RunState.read(context, plan.run_id)
    if not again:
        # Sealed by now: those of which all was stored at the scan, and those of a run that is taken up again. What an
        # earlier command of such a run counted is in the store, and is counted from there.
        context.counters.restart(plan.run_id, **state.tracks)
    # Once for all: what the run itself extracts is in other shards than those that are still to be published.
    known = stored.stored_files(context, plan)
    for shard in context.ledger.shards(plan.run_id):
        if shard in state.sealed:
            continue
        while context.queues.queued(QUEUES) > QUEUE_BOUND and not stop.wait(0.2):
            pass
        if stop.is_set():
            return
        tracks = context.ledger.shard(plan.run_id, shard)
        if known is None:
            orders = extraction_orders.orders_missing(plan, shard, tracks, context.store.snapshot())
        else:
            orders = extraction_orders.orders(plan, shard, known.missing(tracks))
        if len(orders) < len(tracks) and not again:
            settled = {"unchanged": len(tracks) - len(orders)} if known is None else known.outcomes(tracks)
            context.counters.add(plan.run_id, **settled)
        canvas.publish_shard(plan, shard, orders)


def publish_learning(context: Context, plan: RunPlan, steps: Sequence[Step]) -> None:
    """Publish again the steps of learning that a sweep found missing.

    Missing shards are for the `Publisher`: they may be too many for the queues, as those of a new run.
    """
    for step in steps:
        if step.kind == "plan":
            canvas.publish_plan(plan)
        elif step.kind != "shard" and (study := context.ledger.study(plan.run_id)) is not None:
            canvas.publish_trials(plan, study, missing=step.numbers)
