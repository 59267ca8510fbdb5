"""What `chordal status` says, as `--json` prints it: of a run, of the home's tracks, and of what is at work around it.

Each figure is read by itself. One that cannot be had is null, and `errors` says why; the others are there all the same.
"""

from typing import TYPE_CHECKING, Any

from pipeline.text import printable
from storage import durable
from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.cli.inspect.tag_counts import tag_counts
from workers.runs.active import active_runs, broker_of
from workers.runs.figures import Figures
from workers.runs.file_counts import FileCounts, count_files
from workers.runs.state import ENDS, RunState
from workers.service import state as service_state
from workers.service.state import Service

if TYPE_CHECKING:
    from workers.cli.inspect.live import BrokerAnswer

Facts = dict[str, Any]


def read_status(home: Home, run_id: str | None, broker: str | None, figures: Figures) -> Facts:
    """Return the status of a home and of a run in it; None for a home without any.

    Raises `StoreError` when the plan of the run cannot be read, `UsageError` for a broker that is none.
    """
    state = None if run_id is None else RunState.read(home, run_id, figures)
    service = figures.read("service", lambda: service_state.load(home.path), None)
    address = _broker_address(state, broker, service, home, figures)
    answer = None if address is None or _is_elsewhere(address, service, figures) else _ask(address, state, figures)
    facts: Facts = {"run_id": run_id}
    if state is not None:
        progress = None if answer is None else answer.progress
        counts = figures.read("files", lambda: count_files(state, progress), None)
        facts |= _run_facts(state, counts, figures)
    if service is not None or "service" in figures.errors:
        facts["service"] = None if service is None else service_state.summary(service)
    if address is not None:
        facts["broker"] = _broker_facts(address, answer, figures)
    facts |= _surroundings(home, run_id, answer, figures)
    if state is not None:
        facts |= _end_facts(state, figures)
        if state.stage not in ENDS and answer is not None:
            from workers.cli.inspect.live import live_wire  # with redis and kombu

            facts["live"] = None if answer.reason or counts is None else live_wire(state, counts, answer, figures)
    return _with_errors(facts, figures)


def _with_errors(facts: Facts, figures: Figures) -> Facts:
    """Return facts with the reasons why others cannot be had, which are null; the broker's stands with it too."""
    reason = figures.errors.get("shards") or figures.errors.get("trials")
    if reason and facts.get("stage") not in {None, *ENDS}:
        figures.fail("stage", reason)  # nobody knows how far it is
    missing = {name: None for name in figures.errors if name in facts and name not in {"broker", "failure"}}
    return {**facts, **missing, **({"errors": dict(figures.errors)} if figures.errors else {})}


def _run_facts(state: RunState, counts: FileCounts | None, figures: Figures) -> Facts:
    # A home opens its store when it is asked for its tracks.
    ledger, remarks = figures.read("ledger", lambda: state.home.tracks.counts_and_remarks(), (None, None))  # noqa: PLW0108
    return {
        "stage": state.stage,
        "started": state.plan.created,
        "libraries": [printable(library) for library in state.plan.libraries],
        "files": None if counts is None else {"settled": counts.settled, "of": counts.of, "at_least": counts.at_least},
        "shards": figures.read("shards", lambda: {"scanned": state.shards_written, "sealed": len(state.sealed)}, None),
        "tracks": None if counts is None else counts.outcomes,
        "ledger": ledger,
        "tags": figures.read("tags", lambda: tag_counts(state.home), None),
        "remarks": remarks,
        "trials": {"requested": len(state.trials or ()), "ended": len(state.ended_trials)},
        "seconds": figures.read("seconds", lambda: state.seconds, None),
    }


def _end_facts(state: RunState, figures: Figures) -> Facts:
    """Return what came of a run."""
    facts: Facts = {} if state.failure is None else {"failure": state.failure}
    ledger, run_id = state.home.ledger, state.plan.run_id
    report = figures.read("report", lambda: ledger.report(run_id), None)
    if report is not None or "report" in figures.errors:
        facts["test_accuracy"] = None if report is None else report.test.accuracy
        facts["model"] = None if report is None else report.model.version
        facts["report"] = str(ledger.path(run_id) / "report.html")
    return facts


def _broker_address(
    state: RunState | None, broker: str | None, service: Service | None, home: Home, figures: Figures
) -> BrokerAddress | None:
    """Return the broker that is given, or that of the run, or that of the service; None when there is none."""
    if broker:
        return BrokerAddress.parse(broker)
    address = None
    if state is not None and state.stage not in ENDS:
        address = _broker_of_run(home, state.plan.run_id, figures)
    return address or (service.broker if service is not None and service.alive else None)


def _broker_of_run(home: Home, run_id: str, figures: Figures) -> BrokerAddress | None:
    try:
        return broker_of(home, run_id)
    except (OSError, ValueError) as error:
        reason = durable.reason(error) if isinstance(error, OSError) else str(error)
        figures.fail("broker", f"the run's file does not tell which it is ({reason}); name it with --broker")
        return None


def _ask(address: BrokerAddress, state: RunState | None, figures: Figures) -> "BrokerAnswer":
    from workers.cli.inspect.live import ask_broker  # with redis and kombu, which a home at rest does not need

    answer = ask_broker(address, state.plan.run_id if state is not None and state.stage not in ENDS else None)
    if answer.reason:
        figures.errors.pop("broker", None)
        figures.fail("broker", answer.reason)
    return answer


def _is_elsewhere(address: BrokerAddress, service: Service | None, figures: Figures) -> bool:
    """Return whether a broker is the private one of a service on another host, which nobody can ask here."""
    if service is None or service.is_local or not service.embedded or service.broker != address:
        return False
    figures.fail("broker", f"it is private to the service on {printable(service.host)}; ask there")
    return True


def _broker_facts(address: BrokerAddress, answer: "BrokerAnswer | None", figures: Figures) -> Facts:
    reason = figures.errors.get("broker") if answer is None else answer.reason
    return {"address": address.without_password, "answers": not reason, **({"reason": reason} if reason else {})}


def _surroundings(home: Home, run_id: str | None, answer: "BrokerAnswer | None", figures: Figures) -> Facts:
    """Return the other runs that go on, and how it stands with the nights; nothing where there are none."""
    facts: Facts = {}
    others = [{"run_id": each.run_id, "home": True} for each in active_runs(home) if each.run_id != run_id]
    own = {path.name for path in (home.path / "runs").glob("*")}
    busy = answer.busy_runs if answer is not None else []
    others += [{"run_id": each, "home": False} for each in busy if each not in own]
    if others:
        facts["other_runs"] = others
    if (home.path / "schedule.json").exists():
        from workers.notices.outbox import last_deliveries
        from workers.schedule.outlook import read_outlook

        outlook = figures.read("night", lambda: read_outlook(home, figures=figures), None)
        facts["night"] = None if outlook is None else outlook.to_wire()
        if failed := [each.to_wire() for each in last_deliveries(home.path) if each.state == "failed"]:
            facts["notices_failed"] = failed
    return facts
