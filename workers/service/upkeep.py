"""The upkeep of a service: start again what died, know what does not run and why, keep the logs short."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.errors import ChordalError
from workers.app.context import queues_of
from workers.broker.health import BROKER_ERRORS
from workers.broker.probe import BrokerProbe
from workers.processes import logs
from workers.processes.cluster import BROKER, LocalCluster
from workers.processes.death import Death

log = logging.getLogger(__name__)

SETTLED_S = 60.0
"""Deaths within this time make the next start wait, twice as long for each; who lives as long is well again."""
LONGEST_PAUSE_S = 30.0
TROUBLE_DEATHS = 3
"""How often a process dies, each time within `SETTLED_S`, before it is said to do so again and again."""
WORKERS = {"extract", "learn"}
"""Those that hold messages of runs."""
FLOWER_S = 15.0
"""How long the broker may be away before Flower is started anew: before it connects again, it waits for as long."""
LOGS_S = 60.0
"""How often the length of the logs is looked at."""


class Upkeep:
    """Keeps the processes of a service running; `update` is to be called every half second or so."""

    def __init__(
        self,
        cluster: LocalCluster,
        probe: BrokerProbe,
        log_folders: Sequence[Path],
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.troubles: dict[str, str] = {}
        """What does not work, a line each, by the name of the child, or `broker`; empty when all is well."""
        self._cluster = cluster
        self._probe = probe
        self._log_folders = log_folders
        self._now_s = now_s
        self._queues = queues_of(cluster.broker, cluster.broker.client(timeout_s=2.0, retries=0))
        self._away_s = 0.0
        """For how long the broker is, or was last, away."""
        self._deaths_s: list[float] = []
        self._counts: dict[str, int] = {}
        """How often each child died, since it was well for `SETTLED_S`."""
        self._starts_s: dict[str, float] = {}
        """When each of them was started last."""
        self._logs_s = now_s()

    def update(self) -> bool:
        """Do what has to be done; return whether a process or one of the troubles is another one than before."""
        now_s = self._now_s()
        before = dict(self.troubles)
        self._note_broker()
        restarted = self._restart(now_s)
        self._forget_settled(now_s)
        if now_s - self._logs_s >= LOGS_S:
            self._logs_s = now_s
            self._shorten_logs()
        return restarted or before != self.troubles

    def _note_broker(self) -> None:
        if self._probe.trouble:
            self.troubles["broker"] = self._probe.trouble
            self._away_s = self._probe.away_s
        elif self.troubles.pop("broker", ""):
            self._deaths_s.clear()  # they may have been for want of it: whatever is dead is started at once
            if self._away_s > FLOWER_S:
                self._cluster.renew("flower")

    def _restart(self, now_s: float) -> bool:
        """Start again what is dead, less and less often what keeps dying; return whether something was."""
        deaths = [death for death in self._cluster.deaths() if not self._awaits_broker(death)]
        self._deaths_s = [death_s for death_s in self._deaths_s if now_s - death_s < SETTLED_S]
        recent = len(self._deaths_s)
        if not deaths or (recent and now_s - self._deaths_s[-1] < min(LONGEST_PAUSE_S, 2.0 ** (recent - 3))):
            return False
        self._deaths_s.append(now_s)
        try:
            self._cluster.restart(deaths)
        except ChordalError as error:
            log.warning("%s", error)
            return False
        for death in deaths:
            self._note(death, now_s)
        if WORKERS.isdisjoint(death.name for death in deaths):
            return True
        with suppress(*BROKER_ERRORS):
            # What the dead held would be delivered again only after its timeout; the sweep is sooner.
            self._queues.forget_unacknowledged()
        return True

    def _awaits_broker(self, death: Death) -> bool:
        """Tell whether what died would only die again, as the broker is away or refuses it."""
        return bool(self._probe.trouble) and death.is_of_broker and death.name != BROKER

    def _note(self, death: Death, now_s: float) -> None:
        log.warning("%s died and was started again (%s)", death.name, death.reason)
        if death.is_of_broker:
            self._probe.probe_soon()
            return  # the trouble is the broker's
        self._starts_s[death.name] = now_s
        count = self._counts[death.name] = self._counts.get(death.name, 0) + 1
        if count >= TROUBLE_DEATHS and death.name != BROKER:
            self.troubles[death.name] = f"dies again and again {death.describe()}"

    def _forget_settled(self, now_s: float) -> None:
        """Forget the deaths of what has been well for long enough since."""
        dead = {death.name for death in self._cluster.deaths()} if self._counts else set()
        for name, start_s in list(self._starts_s.items()):
            if name not in dead and now_s - start_s >= SETTLED_S:
                del self._starts_s[name], self._counts[name]
                if self.troubles.pop(name, ""):
                    log.warning("%s runs again", name)

    def _shorten_logs(self) -> None:
        for folder in self._log_folders:
            try:
                for path in logs.put_aside(folder):
                    log.info("%s was long, and is in %s.1 now", path.name, path.name)
            except OSError as error:
                log.warning("the logs in %s cannot be put aside: %s", folder, error)
