"""The section on the gate: whether the new model became the champion."""

from pipeline.learning.evaluation.gate import Verdict
from pipeline.report.view import Block, Column, Section, Table, Tile
from pipeline.report.words import count, enumeration, percent, quantity
from pipeline.text import printable

_HOW = {
    "mcnemar": "McNemar's test, one-sided, with the mid-p value, on tracks",
    "bootstrap": "a paired bootstrap over groups, one-sided: tracks of a group are drawn together",
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
    if verdict.left_out:
        left_out = enumeration([f"{count(n)} {printable(why)}" for why, n in verdict.left_out.items()])
        words.append(f"Test tracks that could not be compared on: {left_out}.")
    return Section(anchor="champion", title="Champion", words=tuple(words), blocks=tuple(blocks))


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
