"""The thread that publishes a run, while its command watches and heals."""

import threading

from pipeline.errors import StoreError
from pipeline.runs import RunPlan
from workers import flow, producer, sealing
from workers.context import Context
from workers.fitness import BROKER_ERRORS


class Publisher:
    """Publishes what a run lacks, no faster than workers take it; once more whenever it is asked to."""

    def __init__(self, context: Context, plan: RunPlan) -> None:
        self._context = context
        self._plan = plan
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether there is something to be published still, for all that is known."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to publish every shard that is not sealed, and to start learning when none is left."""
        self._thread = threading.Thread(target=self._publish, args=(self._thread is not None,), name="publisher")
        self._thread.start()

    def stop(self) -> None:
        """Publish no more, and wait until that is so."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _publish(self, again: bool) -> None:
        context, plan = self._context, self._plan
        try:
            if plan.extract:
                producer.publish_all(context, plan, stop=self._stop, again=again)
                # A worker that seals the last shard does this too, but there may be none that needs one.
                may_learn = sealing.ready_to_learn(context, plan.run_id)
            else:
                may_learn = context.ledger.claim(plan.run_id, "learning")
            if may_learn:
                flow.publish_plan(plan)
        except StoreError as error:
            context.counters.stop(plan.run_id, str(error))
        except BROKER_ERRORS:
            return  # the sweep has the rest published when the broker is back
