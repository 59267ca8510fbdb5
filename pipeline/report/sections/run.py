"""The sections of every run: what was scanned, what failed, how to reproduce it."""

import shlex

from pipeline.library.folders.left_out import describe_left_out
from pipeline.plans.recipe_toml import recipe_toml
from pipeline.plans.scan_rules import ScanRules
from pipeline.report.charts import MOST_BARS, balance_chart
from pipeline.report.content import ListedFailure, ReportContent
from pipeline.report.sections.split import tracks_by_side
from pipeline.report.view import Block, Chart, Column, Listing, Section, Table, first_rows
from pipeline.report.words import count, enumeration, pairs, percent, quantity, reason, relative_path
from pipeline.text import MISSING, describe_duration, printable

_BALANCE = {
    "weights": "In training every class counts the same: rows of smaller classes weigh more in the loss.",
    "sampling": "In training every class counts the same: rows of smaller classes are repeated until all are as many.",
    "none": "In training every row counts the same, as the recipe says: a model does well by favouring large classes.",
}


def scan_section(content: ReportContent) -> Section:
    """Return the section on libraries, formats, rates and the time each stage took."""
    facts = content.facts
    where = [printable(library) for library in content.plan.libraries]
    words = [f"{quantity(content.counts.scanned, 'file')} under {enumeration(where)}."] if where else []
    decoded = sum(facts.rates.values())
    if decoded:
        rates = enumeration([f"{hz / 1000:g} kHz ({count(n)})" for hz, n in facts.rates.items()])
        layout = enumeration([f"{_channels(channels)} ({count(n)})" for channels, n in facts.channels.items()])
        words.append(
            f"{quantity(decoded, 'file')} decoded: {describe_duration(facts.audio_s)} of sound at {rates}; {layout}."
        )
    if facts.notes:
        words.append(f"There are remarks on {quantity(facts.notes, 'file')}, used in part or whole all the same.")
    if (unlabelled := content.counts.scanned - sum(content.class_balance.values())) and content.plan.learn:
        words.append(f"{quantity(unlabelled, 'file')} without a label: extracted, not learned from.")
    words += [f"Note: {printable(note)}." for note in content.scan_notes]
    blocks: list[Block] = []
    if facts.formats:
        blocks.append(
            Table(
                caption="Files by format",
                columns=(
                    Column(title="Format"),
                    Column(title="Files", is_number=True),
                    Column(title="Sound", is_number=True),
                ),
                rows=tuple(
                    (printable(name), count(totals.files), describe_duration(totals.audio_s))
                    for name, totals in facts.formats.items()
                ),
            )
        )
    if content.seconds:
        blocks.append(_stages(content))
    if facts.remarks:
        blocks.append(_remarks(content))
    return Section(anchor="scanned", title="What was scanned", words=tuple(words), blocks=tuple(blocks))


def failures_section(content: ReportContent) -> Section:
    """Return the section on files, and families of files, without features."""
    facts, libraries = content.facts, content.plan.libraries
    failed = max(facts.failed, content.counts.failed)
    if not failed and not facts.families_failed:
        return Section(anchor="failures", title="Failures", words=("None: every file that was scanned has features.",))
    words = [
        "A file without features never stops a run: it is recorded with the reason and tried again when it changes."
    ]
    blocks: list[Block] = []
    if failed:
        kinds = enumeration([f"{printable(kind)} ({count(n)})" for kind, n in facts.failure_kinds.items()])
        words.append(f"{quantity(failed, 'file')} failed" + (f": {kinds}." if kinds else "."))
        rows, note = first_rows([_failure_row(failure, libraries) for failure in facts.failures], total=failed)
        blocks.append(
            Table(
                caption="Files that failed",
                columns=(
                    Column(title="File", is_code=True),
                    Column(title="Kind"),
                    Column(title="Reason", is_prose=True),
                    Column(title="Attempts", is_number=True),
                ),
                rows=rows,
                note=note,
            )
        )
    if facts.families_failed:
        words.append(
            f"{quantity(facts.families_failed, 'feature family', 'feature families')} could not be computed for a file "
            "that is otherwise fine."
        )
        rows, note = first_rows(
            [_family_row(failure, libraries) for failure in facts.family_failures], total=facts.families_failed
        )
        blocks.append(
            Table(
                caption="Families that failed",
                columns=(
                    Column(title="File", is_code=True),
                    Column(title="Family", is_code=True),
                    Column(title="Kind"),
                    Column(title="Reason", is_prose=True),
                ),
                rows=rows,
                note=note,
                is_folded=facts.families_failed > 10,
            )
        )
    return Section(anchor="failures", title="Failures", words=tuple(words), blocks=tuple(blocks))


def classes_section(content: ReportContent) -> Section | None:
    """Return the section on how many tracks each class has; None when no track has a label."""
    balance = content.class_balance
    if not balance:
        return None
    manifest, split = content.manifest, content.split
    parts: dict[str, dict[str, int]] = {}
    if manifest is not None and split is not None and len(split.partitions) == 1 and split.strategy != "rows":
        parts = tracks_by_side(manifest, split.partitions[0])
    total = sum(balance.values())
    largest, smallest = max(balance.values()), min(balance.values())
    words = [f"{quantity(total, 'labelled track')} in {quantity(len(balance), 'class', 'classes')}."]
    if largest > smallest:
        words.append(
            f"The largest class has {quantity(largest, 'track')}, the smallest {count(smallest)}: "
            f"always naming the largest would be right for {percent(largest / total)} of all tracks."
        )
    else:
        words.append(f"All classes are equally large: {quantity(largest, 'track')} each.")
    words += [f"Note: {line.replace('`', '')}." for line in content.label_findings.lines]
    if content.plan.learn and largest > smallest:
        words.append(_BALANCE[content.plan.recipe.training.balance])
    caption = "Tracks per class" + (", cut up by side of the split" if parts else "")
    if len(balance) > MOST_BARS:
        caption += f" (the {MOST_BARS} largest of {count(len(balance))})"
    rows, note = first_rows(
        [
            (printable(label), count(n), *(count(by_label.get(label, 0)) for by_label in parts.values()))
            for label, n in sorted(balance.items(), key=lambda item: (-item[1], item[0]))
        ]
    )
    table = Table(
        caption="Tracks per class, in numbers",
        columns=(
            Column(title="Class"),
            Column(title="Tracks", is_number=True),
            *(Column(title=side.capitalize(), is_number=True) for side in parts),
        ),
        rows=rows,
        note=note,
        is_folded=True,
    )
    chart = Chart(svg=balance_chart(balance, parts, name="Bar chart of tracks per class"), caption=caption)
    return Section(anchor="classes", title="Class balance", words=tuple(words), blocks=(chart, table))


def features_section(content: ReportContent) -> Section | None:
    """Return the section on the feature families with their parameters; None without any."""
    if not content.specs:
        return None
    table = Table(
        caption="Feature families",
        columns=(
            Column(title="Family"),
            Column(title="What it is", is_prose=True),
            Column(title="Columns", is_number=True),
            Column(title="Row", is_number=True),
            Column(title="Parameters", is_prose=True),
            Column(title="Key in the store", is_code=True),
        ),
        rows=tuple(
            (
                printable(spec.name),
                printable(spec.title),
                count(len(spec.columns)),
                " x ".join(map(str, spec.row_shape)) or "1",
                pairs(spec.parameters),
                spec.key,
            )
            for spec in content.specs
        ),
    )
    words = ("The fingerprint at the end of a key covers columns and parameters: equal keys mean equal numbers.",)
    return Section(anchor="features", title="Features", words=words, blocks=(table,))


def reproduce_section(content: ReportContent) -> Section:
    """Return the section with everything needed to get the same numbers again."""
    plan = content.plan
    facts = [
        ("Run", plan.run_id),
        ("Started", plan.created or MISSING),
        ("Recipe", plan.recipe.name),
        ("Seed", str(plan.seed)),
        ("Labels", plan.labels),
        ("Groups", plan.groups or MISSING),
        ("Folds", plan.folds or MISSING),
        ("Vocabulary", _vocabulary_words(plan.rules)),
        ("Longest file allowed", describe_duration(plan.max_duration_s)),
    ]
    if content.manifest is not None:
        facts.append(("Dataset digest", content.manifest.digest))
        facts += [(f"Rows of {name}", key) for name, key in content.manifest.families.items()]
    blocks: list[Block] = [
        Listing(caption="Command", text=" ".join(printable(shlex.quote(word)) for word in plan.command)),
        Listing(
            caption=f"Recipe, as a file for --recipe: {printable(plan.recipe.name)}.toml", text=recipe_toml(plan.recipe)
        ),
        _facts_table("What decides the numbers", facts),
    ]
    versions = content.versions or plan.versions
    if versions:
        blocks.append(_facts_table("Versions", sorted(versions.items(), key=lambda item: item[0].lower())))
    if content.host:
        blocks.append(_facts_table("Machine", list(content.host.items())))
    words = (
        "The same files, recipe, seed and versions give the same features, the same split and the same trials. "
        "Networks may differ in the last digits between processors."
    )
    return Section(anchor="reproduce", title="How to reproduce it", words=(words,), blocks=tuple(blocks))


def _vocabulary_words(rules: ScanRules) -> str:
    """Return which vocabulary folded the labels; its text is in the run's plan."""
    return (rules.vocabulary or "of the recipe") if rules.folding is not None else MISSING


def _stages(content: ReportContent) -> Table:
    """Return the table of wall seconds by stage."""
    total = sum(content.seconds.values())
    rows = [
        (printable(stage), describe_duration(s), percent(s / total) if total else MISSING)
        for stage, s in content.seconds.items()
    ]
    return Table(
        caption="Time by stage",
        columns=(Column(title="Stage"), Column(title="Time", is_number=True), Column(title="Share", is_number=True)),
        rows=(*rows, ("all", describe_duration(total), "")),
    )


def missed_words(content: ReportContent) -> list[str]:
    """Return sentences on what a scan left out and could not read; none where it was nothing."""
    lines = [f"{printable(each)}; what was in there before is kept" for each in content.unreadable[:3]]
    if content.unread > len(lines):
        lines.append(f"{count(content.unread - len(lines))} more could not be read")
    words = [f"Could not be read: {line}." for line in lines]
    return words + [f"{line[:1].upper()}{line[1:]}." for line in describe_left_out(content.left_out)]


def _remarks(content: ReportContent) -> Table:
    """Return the table of files that were used in part or with a remark."""
    facts, libraries = content.facts, content.plan.libraries
    rows, note = first_rows(
        [
            (relative_path(each.path, libraries), describe_duration(each.used_s), reason(each.note))
            for each in facts.remarks
        ],
        total=facts.notes,
    )
    return Table(
        caption="Files with a remark",
        columns=(
            Column(title="File", is_code=True),
            Column(title="Sound used", is_number=True),
            Column(title="Remark", is_prose=True),
        ),
        rows=rows,
        note=note,
        is_folded=facts.notes > 10,
    )


def _facts_table(caption: str, facts: list[tuple[str, str]]) -> Table:
    """Return a table of names and what belongs to them."""
    return Table(
        caption=caption,
        columns=(Column(title="Name"), Column(title="Value", is_code=True)),
        rows=tuple((printable(name), printable(value)) for name, value in facts),
    )


def _failure_row(failure: ListedFailure, libraries: tuple[str, ...]) -> tuple[str, ...]:
    return (
        relative_path(failure.path, libraries),
        printable(failure.kind),
        reason(failure.reason),
        count(failure.attempts),
    )


def _family_row(failure: ListedFailure, libraries: tuple[str, ...]) -> tuple[str, ...]:
    family = printable(failure.family or MISSING)
    return relative_path(failure.path, libraries), family, printable(failure.kind), reason(failure.reason)


def _channels(channels: int) -> str:
    """Return a channel layout by its common name."""
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
