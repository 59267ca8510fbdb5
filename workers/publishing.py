"""Publishing a run beside the thread that waits for its end, as often as it takes."""

import threading

from pipeline.errors import StoreError
from pipeline.runs import RunPlan
from workers import flow, producer
from workers.context import Context
from workers.waiting import BROKER_ERRORS


class Publisher:
    """Publishes what a run lacks, in a thread of its own: it pauses while the queues are full."""

    def __init__(self, context: Context, plan: RunPlan) -> None:
        self._context = context
        self._plan = plan
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; when it has ended, begin again with what is missing then."""
        again = self._thread is not None
        self._thread = threading.Thread(target=self._publish, kwargs={"again": again}, name="publisher")
        self._thread.start()

    @property
    def is_at_work(self) -> bool:
        """Whether something is still to be published."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Publish nothing more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _publish(self, *, again: bool) -> None:
        """Publish; a store that fails here is told to the waiting thread, a broker is waited for by its sweep."""
        try:
            if self._plan.extract:
                producer.publish_all(self._context, self._plan, stop=self._stop, again=again)
            elif self._context.ledger.claim(self._plan.run_id, "learning"):
                flow.publish_plan(self._plan)
        except StoreError as error:
            self._context.counters.stop(self._plan.run_id, str(error))
        except BROKER_ERRORS:
            return
