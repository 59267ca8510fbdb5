"""`chordal models delete` and `chordal models prune`."""

import click

from workers.cli import options
from workers.cli.inspect.runs import show_pruned
from workers.cli.lookup import existing_home


@click.command()
@click.argument("versions", nargs=-1, required=True, metavar="VERSION...")
@options.home
@options.as_json
def delete(versions: tuple[str, ...], home_path: str, *, as_json: bool) -> None:
    """Delete models. Their numbers are not given again.

    The champion and what `chordal models rollback` may lead to stay: exit status 2, and none is deleted.
    """
    from workers.runs import retention

    show_pruned(retention.delete_models(existing_home(home_path), versions), "model", as_json=as_json)


@click.command()
@click.option("--keep", type=click.IntRange(min=1), required=True, metavar="N", help="How many of the newest stay.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@options.home
@options.as_json
def prune(keep: int, home_path: str, *, dry_run: bool, as_json: bool) -> None:
    """Delete all models but the newest N, the champion, and what rollbacks may lead to."""
    from workers.runs import retention

    home = existing_home(home_path, for_reading=dry_run)
    show_pruned(retention.prune_models(home, keep, is_trial=dry_run), "model", as_json=as_json, is_trial=dry_run)
