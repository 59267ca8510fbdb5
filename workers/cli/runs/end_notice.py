"""Telling of the end of a command that works long."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from pipeline.errors import CancelledError, StoreError

if TYPE_CHECKING:
    from storage.home import Home
    from workers.notices.notice import Notice
    from workers.notices.targets import Target
    from workers.runs.run_notice import Work

CANCELLED_S = 5.0
"""How long telling may take when somebody has stopped the command, and waits."""


@contextmanager
def tell_end(home: "Home", targets: "Sequence[Target]", work: "Work", *, when_done: bool = True) -> Iterator[None]:
    """Tell some targets how what is done in this context ends; without `when_done`, only that it failed.

    A notice that cannot be delivered is shown on standard error, and changes nothing else.
    """
    if not targets:
        yield
        return
    before = set(home.ledger.run_ids())
    try:
        yield
    except (KeyboardInterrupt, CancelledError) as error:
        if when_done:
            _tell_failure(home, targets, work, before, error, cancelled=True)
        raise
    except Exception as error:
        _tell_failure(home, targets, work, before, error, cancelled=False)
        raise
    if when_done and (run_id := _own_run(home, work, before)) is not None:
        from workers.runs.run_notice import finished_notice

        _deliver(targets, finished_notice(home, run_id, work))


def _tell_failure(
    home: "Home",
    targets: "Sequence[Target]",
    work: "Work",
    before: set[str],
    error: BaseException,
    *,
    cancelled: bool,
) -> None:
    from workers.notices.delivery import LIMIT_S
    from workers.notices.notice import split_mend
    from workers.runs.run_notice import failed_notice

    reason, mend = ("somebody stopped it", "") if isinstance(error, KeyboardInterrupt) else split_mend(error)
    run_id = _own_run(home, work, before)
    notice = failed_notice(home, run_id, work, reason=reason, mend=mend, cancelled=cancelled)
    _deliver(targets, notice, limit_s=CANCELLED_S if cancelled else LIMIT_S)


def _own_run(home: "Home", work: "Work", before: set[str]) -> str | None:
    """Return the newest run that this command began, None where it began none or is no single run."""
    from workers.cli.runs.request import command_line

    if work == "watch":
        return None
    command = command_line()
    with suppress(StoreError):  # what is told must not end in another way than what it tells of
        ids = [run_id for run_id in home.ledger.run_ids("library") if run_id not in before]
        return next((run_id for run_id in reversed(ids) if home.ledger.plan(run_id).command == command), None)
    return None


def _deliver(targets: "Sequence[Target]", notice: "Notice", *, limit_s: float | None = None) -> None:
    from workers.notices.delivery import LIMIT_S, deliver_all

    try:
        deliveries = deliver_all(targets, notice, limit_s=LIMIT_S if limit_s is None else limit_s)
    except KeyboardInterrupt:  # whoever waits does not want to
        click.echo(f"notice of {notice.event}: stopped before it was delivered", err=True)
        return
    for delivery in deliveries:
        if delivery.state == "failed":
            click.echo(f"notice of {delivery.event} to {delivery.target} failed: {delivery.reason}", err=True)
