"""`chordal models`: the registered models, and which of them is the champion."""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import UsageError
from pipeline.text import printable
from workers.cli import options
from workers.cli.inspect.model_removal import delete, prune
from workers.cli.lookup import existing_home
from workers.cli.tables import console, show_facts, show_rows

if TYPE_CHECKING:
    from pipeline.learning.study.results import ModelVersion
    from storage import Champion
    from storage.home import Home
    from workers.runs.figures import Figures


class _ListByDefault(click.Group):
    """A group that lists when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` before options that come without a command."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            if args and not args[0].startswith("-"):
                return super().parse_args(ctx, args)  # a mistake, reported as such
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def models() -> None:
    """List the registered models, and say which one is the champion: the one that `chordal predict` uses.

    A new model becomes the champion when it beats the one there is on the same held-out tracks, by the test and level
    of its recipe's [gate]; else it is kept, with the reason. The first one is the champion.

    \b
    For example:
        chordal models
        chordal models show v0002
        chordal models compare v0001 v0002
        chordal models promote v0002
        chordal models rollback
        chordal models prune --keep 30
    """


models.add_command(delete)
models.add_command(prune)


@models.command("list")
@options.home
@options.as_json
def list_(home_path: str, *, as_json: bool) -> None:
    """List the registered models, newest last. One that cannot be read is named, and the others are listed."""
    home = existing_home(home_path, for_reading=True)
    figures = _new_figures()
    champion = figures.read("champion", home.champions.current, None)
    names = home.registry.names()
    read = (figures.read(name, partial(home.registry.get, name), None) for name in names)
    versions = [version for version in read if version is not None]
    if as_json:
        found = {
            "champion": champion.version if champion is not None else None,
            "models": [_wire(home, version, champion) for version in versions],
        }
        options.emit(found | ({"errors": figures.errors} if figures.errors else {}))
        return
    if not names:
        console().print("no models yet")
        return
    columns = ("version", "created", "recipe", "family", "test accuracy", "classes", "state")
    show_rows(columns, [_line(home, version, champion) for version in versions])
    for name, reason in figures.errors.items():
        console().print(f"{name} cannot be read: {printable(reason)}")


def _line(home: "Home", model: "ModelVersion", champion: "Champion | None") -> tuple[str, ...]:
    is_champion = champion is not None and champion.version == model.version
    return (
        ("* " if is_champion else "  ") + model.version,
        model.created,
        model.recipe,
        model.family,
        _share(model.test_accuracy),
        str(len(model.classes)),
        _state(home, model, champion),
    )


@models.command()
@click.argument("version", required=False, metavar="[VERSION]")
@options.home
@options.as_json
def show(version: str | None, home_path: str, *, as_json: bool) -> None:
    """Show everything about a model: what it reads, what it learned from, how it does, what it takes to repeat it.

    Without VERSION, the champion.
    """
    home = existing_home(home_path, for_reading=True)
    champion = home.champions.current() if version is None else _new_figures().read("", home.champions.current, None)
    model = home.registry.get(version or _champion_of(home, champion).version)
    if as_json:
        history = [entry.to_wire() for entry in home.champions.history() if entry.version == model.version]
        options.emit(_wire(home, model, champion) | {"history": history})
        return
    show_facts(_facts(home, model, champion))


@models.command()
@click.argument("version", metavar="VERSION")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the history.")
@options.home
@options.as_json
def promote(version: str, reason: str, home_path: str, *, as_json: bool) -> None:
    """Make a model the champion, whatever the gate decided about it."""
    home = existing_home(home_path)
    _check_usable(home, version)
    _show_champion(home, home.champions.promote(version, reason=printable(reason)), as_json=as_json)


@models.command()
@click.option("--reason", default="", metavar="TEXT", help="Kept in the history.")
@options.home
@options.as_json
def rollback(reason: str, home_path: str, *, as_json: bool) -> None:
    """Make the champion before this one the champion again; once more, the one before that."""
    home = existing_home(home_path)
    _check_usable(home, home.champions.rollback_target().version)
    _show_champion(home, home.champions.rollback(reason=printable(reason)), as_json=as_json)


@models.command()
@click.argument("one", metavar="OLD")
@click.argument("other", metavar="NEW")
@options.home
@options.as_json
def compare(one: str, other: str, home_path: str, *, as_json: bool) -> None:
    """Compare a model with an older one: their facts side by side, and a paired test on the same held-out tracks.

    The tracks are those that NEW was tested on and OLD never learned from.
    """
    from pipeline.learning.evaluation.gate import describe_comparison
    from pipeline.learning.models.compatibility import check_fits
    from workers.learning import promotion
    from workers.processes.environment import quiet_tensorflow

    if one == other:
        raise UsageError(
            f"models compare {printable(one)} {printable(other)}: one model; name two versions of `chordal models`"
        )
    home = existing_home(home_path, for_reading=True)
    old, new = promotion.contender(home, one), promotion.contender(home, other)
    check_fits(one, old.model.features)
    home.registry.check(old.model)
    quiet_tensorflow()
    plan = home.registry.plan(other) or home.ledger.plan(new.model.run_id)
    compared, left_out = promotion.comparison(home, new, old, seed=plan.seed)
    left = ", ".join(f"{count} {why}" for why, count in left_out.items())
    if as_json:
        options.emit(
            {
                "models": [_wire(home, each.model, None) for each in (old, new)],
                "comparison": compared.to_wire() if compared is not None else None,
                "left_out": left_out,
            }
        )
        return
    sides = [dict(_facts(home, each.model, home.champions.current())) for each in (old, new)]
    rows = [(name, sides[0].get(name, ""), sides[1].get(name, "")) for name in sides[1] if name not in _NOT_COMPARED]
    show_rows(("", one, other), rows)
    words = describe_comparison(compared) if compared is not None else "no held-out track that neither learned from"
    console().print(f"\n{other} against {one}: {words}" + (f"; left out: {left}" if left else ""))


_NOT_COMPARED = {"version", "files", "path", "software"}


def _champion_of(home: "Home", champion: "Champion | None") -> "Champion":
    if champion is None:
        raise UsageError(f"home {printable(str(home.path))}: no champion yet; name a version, or see `chordal models`")
    return champion


def _check_usable(home: "Home", version: str) -> None:
    """Refuse a model that could not be used. Raises `UsageError`."""
    from pipeline.learning.models.compatibility import check_fits

    model = home.registry.get(version)
    check_fits(version, model.features)
    home.registry.check(model)


def _show_champion(home: "Home", champion: "Champion", *, as_json: bool) -> None:
    if as_json:
        options.emit({"champion": champion.version, **champion.to_wire()})
        return
    before = (
        f"; `chordal models rollback` goes back to {home.champions.rollback_target().version}"
        if champion.back is not None
        else ""
    )
    click.echo(f"the champion is {champion.version}{before}")


def _state(home: "Home", model: "ModelVersion", champion: "Champion | None") -> str:
    from pipeline.learning.models.compatibility import misfit

    figures = _new_figures()
    verdict = figures.read("verdict", lambda: home.champions.verdict(model.version), None)
    words = [f"{verdict.state}: {verdict.reason}"] if verdict is not None else []
    words += [f"the {name} cannot be read: {reason}" for name, reason in figures.errors.items()]
    if champion is not None and champion.version == model.version:
        words.insert(0, "champion")
    if why := misfit(model.features):
        words.append(f"cannot be used here: {why}")
    return printable("; ".join(words))


def _wire(home: "Home", model: "ModelVersion", champion: "Champion | None") -> dict[str, Any]:
    from pipeline.learning.models.compatibility import misfit
    from workers.learning.promotion import challengers

    figures = _new_figures()
    verdict = figures.read("verdict", lambda: home.champions.verdict(model.version), None)
    return {
        **model.to_wire(),
        "champion": champion is not None and champion.version == model.version,
        "verdict": verdict.to_wire() if verdict is not None else None,
        "challengers": len(_new_figures().read("", lambda: challengers(home, model.version), [])),
        "misfit": misfit(model.features) or None,
        **({"errors": figures.errors} if figures.errors else {}),
    }


def _new_figures() -> "Figures":
    from workers.runs.figures import Figures

    return Figures()


def _facts(home: "Home", model: "ModelVersion", champion: "Champion | None") -> list[tuple[str, str]]:
    facts = [
        ("version", model.version),
        ("state", _state(home, model, champion) or "nothing was decided"),
        *_challenger_facts(home, model),
        ("created", model.created),
        ("run", model.run_id),
        ("recipe", printable(model.recipe)),
        ("family", model.family),
        *((f"member {number + 1}", _member(spec)) for number, spec in enumerate(model.members)),
        ("features", ", ".join(model.features)),
        ("classes", ", ".join(map(printable, model.classes))),
        ("data", model.dataset_digest),
        ("seed", str(model.seed)),
    ]
    if (split := model.split) is not None:
        sizes = f"{split.train} train, {split.validation} validation, {split.test} test"
        over = f" over {split.partitions} partitions" if split.partitions > 1 else ""
        facts.append(("split", f"{split.strategy}, seed {split.seed}, {split.groups} groups; {sizes}{over}"))
    facts += [(name.replace("_", " "), _number(name, value)) for name, value in model.metrics.items()]
    if not model.metrics:
        facts.append(("test accuracy", _share(model.test_accuracy)))
    facts.append(("software", ", ".join(f"{name} {version}" for name, version in model.versions.items())))
    facts.append(("files", ", ".join(f"{name} {digest[:12]}" for name, digest in model.files.items())))
    facts.append(("path", printable(model.path)))
    return facts


def _challenger_facts(home: "Home", model: "ModelVersion") -> list[tuple[str, str]]:
    """Return how many models were held against a champion's held-out tracks; nothing for a model without any."""
    from workers.learning.promotion import challengers

    count = len(_new_figures().read("", lambda: challengers(home, model.version), []))
    if not count:
        return []
    were = "model was" if count == 1 else "models were"
    return [("challengers", f"{count} {were} held against it on held-out tracks; the gate's level is spent over all")]


def _member(spec: Any) -> str:
    values = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in spec.hyperparameters.items()
    )
    return f"{spec.family} on {spec.features}, seed {spec.seed}: {printable(values)}"


def _share(value: float) -> str:
    return f"{value:.1%}" if math.isfinite(value) else "-"


def _number(name: str, value: float) -> str:
    if name.endswith(("accuracy", "share")):
        return _share(value)
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:.3f}"
