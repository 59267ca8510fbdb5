"""Retention: which models and runs of a home must stay, and the deletion of others.

What is deleted is renamed away first, so a reader finds a model or a run whole or not at all. The numbers of deleted
models are not given again, and the verdicts about them stay: the gate counts its challengers by them.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value
from storage.home import Home
from workers.runs.active import active_runs
from workers.runs.state import ENDS, RunState


class Pruned(Value, frozen=True, kw_only=True):
    """What a deletion took away, and what it had to leave."""

    deleted: tuple[str, ...] = ()
    kept: dict[str, str] = {}
    """Why it stayed, by the model or run that would have gone else."""
    bytes: int = 0
    """Bytes on disk of what was deleted; files that another folder has as well do not count."""


def required_models(home: Home) -> dict[str, str]:
    """Return the models that must stay, with the reason: the champion and what rollbacks lead to, one by one."""
    current = home.champions.current()
    if current is None:
        return {}
    required = {current.version: "it is the champion"}
    entries = {entry.number: entry for entry in home.champions.history()}
    back = current.back
    while back is not None and (entry := entries.get(back)) is not None:
        required.setdefault(entry.version, "`chordal models rollback` may lead back to it")
        back = entry.back
    return required


def required_runs(home: Home) -> dict[str, str]:
    """Return the runs that must stay, with the reason."""
    ledger = home.ledger
    required = {run.run_id: "it goes on" for run in active_runs(home)}
    for run_id in home.tracks.needed_scans():
        required.setdefault(run_id, "its scan is the newest of its library")
    for run_id in ledger.run_ids("library"):
        if run_id not in required and RunState.read(home, run_id).stage not in ENDS:
            required[run_id] = "it has not ended; the same command goes on with it"
    known = set(home.registry.names())
    for version, reason in required_models(home).items():
        if version in known:
            required.setdefault(home.registry.get(version).run_id, f"it made {version}: {reason}")
    return required


def delete_models(home: Home, versions: Sequence[str]) -> Pruned:
    """Delete models by name, all or none.

    Raises `UsageError` naming the first that is not there or must stay.
    """
    required = required_models(home)
    for version in versions:
        home.registry.require(version)
        if version in required:
            raise UsageError(
                f"model {version}: {required[version]}, so it stays; `chordal models promote` changes the champion"
            )
    return _delete_models(home, tuple(dict.fromkeys(versions)), {}, is_trial=False)


def prune_models(home: Home, keep: int, *, is_trial: bool = False) -> Pruned:
    """Delete all models but the newest `keep` and those that must stay; with `is_trial` only say which."""
    names = home.registry.names()
    old = names[: max(len(names) - keep, 0)]
    required = required_models(home)
    kept = {version: required[version] for version in old if version in required}
    return _delete_models(home, tuple(each for each in old if each not in kept), kept, is_trial=is_trial)


def delete_runs(home: Home, run_ids: Sequence[str]) -> Pruned:
    """Delete runs by their ids, all or none; the models that they made stay.

    Raises `UsageError` naming the first that is not there or must stay. A run that was left unfinished may go.
    """
    active = {run.run_id for run in active_runs(home)}
    required = required_runs(home)
    for run_id in run_ids:
        home.ledger.plan(run_id)
        is_abandoned = run_id not in active and required.get(run_id, "").startswith("it has not ended")
        if run_id in required and not is_abandoned:
            raise UsageError(f"run {run_id}: {required[run_id]}, so it stays")
    return _delete_runs(home, tuple(dict.fromkeys(run_ids)), {}, is_trial=False)


def prune_runs(home: Home, keep: int, *, is_trial: bool = False) -> Pruned:
    """Delete all ended runs over libraries but the newest `keep` and those that must stay."""
    run_ids = home.ledger.run_ids("library")
    old = run_ids[: max(len(run_ids) - keep, 0)]
    required = required_runs(home)
    kept = {run_id: required[run_id] for run_id in old if run_id in required}
    return _delete_runs(home, tuple(each for each in old if each not in kept), kept, is_trial=is_trial)


def describe_pruned(pruned: Pruned, noun: str, *, is_trial: bool = False) -> list[str]:
    """Return in words what became of models or runs, a line each."""
    count = len(pruned.deleted)
    would = "would be deleted" if is_trial else "deleted"
    named = f": {', '.join(map(printable, pruned.deleted))}" if pruned.deleted else ""
    lines = [f"{count} {noun}{'' if count == 1 else 's'} {would}, {pruned.bytes / 1e6:.1f} MB{named}"]
    return [*lines, *(f"{name} stays: {reason}" for name, reason in pruned.kept.items())]


def _delete_models(home: Home, versions: tuple[str, ...], kept: dict[str, str], *, is_trial: bool) -> Pruned:
    size = sum(_size(home.registry.path(version)) for version in versions)
    if not is_trial:
        for version in versions:
            home.registry.remove(version)
    return Pruned(deleted=versions, kept=kept, bytes=size)


def _delete_runs(home: Home, run_ids: tuple[str, ...], kept: dict[str, str], *, is_trial: bool) -> Pruned:
    size = sum(_size(home.ledger.path(run_id)) for run_id in run_ids)
    if not is_trial:
        for run_id in run_ids:
            home.ledger.remove(run_id)
    return Pruned(deleted=run_ids, kept=kept, bytes=size)


def _size(folder: Path) -> int:
    """Return the bytes on disk that the deletion of a folder frees."""
    size = 0
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue  # another process deletes it as well
        size += status.st_blocks * 512 if status.st_nlink == 1 else 0
    return size
