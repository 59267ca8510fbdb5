"""`chordal watch`: extract what comes into a library, as it comes."""

from typing import Any

import click

from workers.cli import options
from workers.cli.runs.end_notice import tell_end
from workers.cli.runs.request import parse_request
from workers.processes import signals


@click.command()
@click.argument("libraries", nargs=-1, type=options.PathName(), required=True, metavar="LIBRARY...")
@click.option(
    "--learn-after",
    type=click.IntRange(min=1),
    metavar="N",
    help="Learn whenever N tracks are new since the last time.  [default: never]",
)
@click.option(
    "--poll",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Look so often instead of asking the kernel, which knows nothing of other hosts' doings on a share.",
)
@click.option(
    "--settle",
    type=click.FloatRange(min=0.1),
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a file's size and time must stay as they are before it counts as completely written.",
)
@options.library_options
@options.work_options
@options.notify
@options.home
@options.as_json
def watch(**given: Any) -> None:
    """Extract what comes into the libraries, as it comes, until Ctrl-C.

    New, changed and moved files are waited for until they are completely written; many at once make one batch. What
    came while nobody watched is caught up with at the start.
    """
    from workers.notices.targets import parse_targets
    from workers.runs.progress import View
    from workers.watch import watcher
    from workers.watch.request import WatchRequest

    signals.listen()
    targets = parse_targets(given["notify"])
    home, run, _ = parse_request(given, extract=True, learn=False)
    request = WatchRequest(
        run=run, poll_s=given["poll"], settle_s=given["settle"], learn_after=given["learn_after"], notify=targets
    )
    with tell_end(home, targets, "watch", when_done=False), View(quiet=given["as_json"]) as view:
        summary = watcher.watch(home, request, view)
    if given["as_json"]:
        options.emit(summary.to_wire())
