"""The section on the gate: whether the new model became the champion."""

from pipeline.learning.evaluation.gate import Comparison, Verdict
from pipeline.report.view import Block, Column, Section, Table, Tile, first_rows
from pipeline.report.words import count, enumeration, percent, quantity
from pipeline.text import printable

_HOW = {
    "mcnemar": "McNemar's test, one-sided, with the mid-p value, on tracks",
    "bootstrap": "a paired bootstrap over groups, one-sided: tracks of a group are drawn together",
    "sign_flip": "the signs of the groups' gains flipped in all ways, one-sided: tracks of a group count together",
}


def champion_section(verdict: Verdict | None) -> Section | None:
    """Return the section on the gate; None without a verdict."""
    if verdict is None:
        return None
    version, champion = printable(verdict.version), printable(verdict.champion or "")
    words = [_state(verdict, version, champion)]
    blocks: list[Block] = []
    if (comparison := verdict.comparison) is not None:
        words.append(
            f"Both were asked about the same {quantity(comparison.tracks, 'track')} that neither learned from, nor "
            f"from a copy of them or another track of their group. The test: {_HOW[comparison.test]}."
        )
        blocks.append(
            Table(
                caption=f"{version} against {champion} on the same held-out tracks",
                columns=(
                    Column(title="Model"),
                    Column(title="Accuracy", is_number=True),
                    Column(title="Right alone", is_number=True),
                ),
                rows=(
                    (f"{version} (new)", percent(comparison.challenger), count(comparison.only_challenger)),
                    (f"{champion} (champion)", percent(comparison.champion), count(comparison.only_champion)),
                ),
                note=f"p = {comparison.p:.2g} over {quantity(comparison.groups, 'group')}.",
            )
        )
    if verdict.turn:
        others = (
            "It is the first challenger that was held against this champion"
            if verdict.turn == 1
            else f"Before it, {quantity(verdict.turn - 1, 'challenger was', 'challengers were')} held against this "
            "champion on such tracks"
        )
        renewed = f" The tracks were renewed {quantity(verdict.renewal, 'time')}." if verdict.renewal else ""
        words.append(
            f"{others}.{renewed} The level of the recipe is spent over all of them; this one could spend "
            f"{verdict.level:.2g}."
        )
    if comparison is not None and comparison.fresh:
        words.append(
            f"On the {quantity(comparison.fresh, 'track')} of these that {champion} was not tested on when it was made "
            f"it has {percent(comparison.fresh_champion)} right: nothing was chosen by those."
        )
    if comparison is not None and comparison.changes:
        blocks.append(_class_table(comparison, version, champion))
    if verdict.left_out:
        left_out = enumeration([f"{count(n)} {printable(why)}" for why, n in verdict.left_out.items()])
        words.append(f"Test tracks that could not be compared on: {left_out}.")
    return Section(anchor="champion", title="Champion", words=tuple(words), blocks=tuple(blocks))


def _class_table(comparison: Comparison, version: str, champion: str) -> Table:
    """Return what both models have right of each class, those that lost most first."""
    rows, note = first_rows(
        [
            (printable(each.name), count(each.tracks), count(each.challenger), count(each.champion), f"{each.p:.2g}")
            for each in comparison.changes
        ]
    )
    return Table(
        caption=f"By class that {champion} knows, what lost most first",
        columns=(
            Column(title="Class"),
            *(Column(title=title, is_number=True) for title in ("Tracks", f"{version} right", f"{champion} right")),
            Column(title="p of a fall", is_number=True),
        ),
        rows=rows,
        note=note,
        is_folded=len(comparison.changes) > 10,
    )


def champion_tile(verdict: Verdict | None) -> tuple[Tile, ...]:
    """Return the tile of the gate; none without a verdict."""
    if verdict is None:
        return ()
    if verdict.state == "promoted":
        return (Tile(name="Champion", value=printable(verdict.version), note="this model"),)
    return (Tile(name="Champion", value=printable(verdict.champion or "none"), note="this model was kept back"),)


def _state(verdict: Verdict, version: str, champion: str) -> str:
    why = printable(verdict.reason)
    if verdict.state == "promoted":
        replaced = f" in place of {champion}; `chordal models rollback` brings that one back" if champion else ""
        return f"{version} became the champion{replaced}: {why}."
    return f"{champion or 'The champion'} stays the champion, {version} is kept: {why}."
