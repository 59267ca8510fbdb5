"""`chordal recipes`: the recipes there are, and what each would search."""

import click

from workers.cli import options
from workers.cli.inspect.trials import show_search
from workers.cli.tables import show_rows


@click.command()
@click.argument("recipe", required=False, metavar="[NAME|FILE]")
@options.as_json
def recipes(recipe: str | None, *, as_json: bool) -> None:
    """List the recipes that come with chordal; of one, or of a file, show what it would search."""
    from pipeline.plans.recipe import load_recipe, recipe_names

    if recipe is not None:
        show_search(recipe, as_json=as_json)
        return
    known = {name: load_recipe(name) for name in recipe_names()}
    if as_json:
        options.emit({name: each.to_wire() for name, each in known.items()})
        return
    rows = [
        (name, each.title, ", ".join(each.families), ", ".join(dict.fromkeys(m.family for m in each.models)))
        for name, each in known.items()
    ]
    show_rows(("recipe", "what it does", "features", "models"), rows)
