"""`chordal features`: which families there are, with what columns, in which units."""

from typing import TYPE_CHECKING, Any

import click

from pipeline.text import printable
from workers.cli import options
from workers.cli.tables import show_facts, show_rows

if TYPE_CHECKING:
    from pipeline.features.spec import FeatureSpec

SHOWN_UNITS = 4
"""Units that are listed of a family."""


@click.command()
@click.argument("name", required=False)
@options.as_json
def features(name: str | None, *, as_json: bool) -> None:
    """List the feature families; with NAME, all that decides the numbers of one: columns, units, parameters.

    \b
    Families of other distributions (entry points of the group chordal.features) are listed too.
    For example:
        chordal features
        chordal features loudness
    """
    from pipeline.features.registry import families, family

    chosen = families() if name is None else {name: family(name)}
    specs = [each.spec for each in chosen.values()]
    if as_json:
        options.emit({"features": [_to_wire(spec) for spec in specs]})
    elif name is None:
        _show_list(specs)
    else:
        _show(specs[0])


def _to_wire(spec: "FeatureSpec") -> dict[str, Any]:
    return {**spec.to_wire(), "key": spec.key, "plug_in": _origin(spec.name)}


def _origin(name: str) -> str:
    """Return the plug-in that brings a family; empty for chordal's own."""
    from pipeline.features.plugins import describe, plugins

    return "".join(describe(point) for point in plugins().get(name, ()))


def _show_list(specs: "list[FeatureSpec]") -> None:
    rows = []
    for spec in specs:
        units = list(dict.fromkeys(spec.units))
        shown = ", ".join(units[:SHOWN_UNITS]) + (", ..." if len(units) > SHOWN_UNITS else "")
        origin = _origin(spec.name).partition(" ")[0]
        rows.append((spec.name, printable(spec.title), _shape(spec), printable(shown), origin or "chordal"))
    show_rows(("family", "what a row tells", "row", "units", "from"), rows)


def _show(spec: "FeatureSpec") -> None:
    parameters = ", ".join(f"{key} {value}" for key, value in spec.parameters.items())
    facts = [
        ("family", spec.name),
        ("title", spec.title),
        ("version", str(spec.version)),
        ("key", spec.key),
        ("from", _origin(spec.name) or "chordal"),
        ("row", f"{_shape(spec)}, float32"),
        ("parameters", parameters or "none"),
    ]
    show_facts([(name, printable(text)) for name, text in facts])
    click.echo()
    pairs = zip(spec.columns, spec.units, strict=True)
    show_rows(("column", "unit"), [(printable(column), printable(unit)) for column, unit in pairs])


def _shape(spec: "FeatureSpec") -> str:
    return " x ".join(map(str, spec.row_shape))
