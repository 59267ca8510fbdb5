"""`chordal labels`: the labels of libraries, what is odd of them, and a vocabulary for them."""

import csv
import sys
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import UsageError
from workers.cli import options
from workers.cli.output_files import output_file, require_writable
from workers.cli.tables import console, show_facts, show_rows
from workers.processes import signals

if TYPE_CHECKING:
    from pipeline.library.vocabulary.listing import LabelListing, ListedLabel

SHOWN = 20
"""How many sets of labels, and how many labels in a line, are shown to people."""

_PROPOSED_FROM = frozenset({None, "none", "default"})
"""The vocabularies that a proposal can begin with."""


@click.command()
@click.argument("libraries", nargs=-1, type=options.PathName(), required=True, metavar="LIBRARY...")
@click.option("--labels", default="folder", show_default=True, metavar="SPEC", help="As for `chordal run`.")
@options.label_options
@click.option("--propose", metavar="FILE", help="Write a vocabulary for these labels here, to be read and mended.")
@click.option("--force", is_flag=True, help="Replace the file of --propose.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a row for each label.")
@options.as_json
def labels(**given: Any) -> None:
    """Show which labels a library has, how many files of each, and which may be one.

    \b
    For example:
        chordal labels ~/Music --labels tag:genre
        chordal labels ~/Music --labels tag:genre --propose genres.toml
        chordal labels ~/Music --labels tag:genre --vocabulary genres.toml --multi

    Looks at the files alone: it needs no home and changes none.
    """
    _check(given)
    signals.listen()
    listing = _list_labels(given)
    if given["propose"] is not None:
        from pipeline.library.vocabulary.proposal import propose

        text = propose(listing.counts, extend=given["vocabulary"] == "default")
        with output_file(given["propose"], force=given["force"], option="--propose") as file:
            file.write(text)
    if given["as_json"]:
        options.emit(_wire(listing, given["propose"]))
    elif given["as_csv"]:
        _print_csv(listing)
    else:
        _show(listing, given)


def _check(given: dict[str, Any]) -> None:
    """Raise `UsageError` for options that exclude each other."""
    if given["as_json"] and given["as_csv"]:
        raise UsageError("labels: --json and --csv are two forms; ask for one")
    if given["force"] and given["propose"] is None:
        raise UsageError("--force: replaces the file of --propose, and none is given")
    if given["propose"] is None:
        return
    if given["vocabulary"] not in _PROPOSED_FROM:
        raise UsageError(
            "--propose: begins with nothing, or with --vocabulary default; leave it out to see what a vocabulary of "
            "your own lacks"
        )
    require_writable(given["propose"], force=given["force"], option="--propose")


def _list_labels(given: dict[str, Any]) -> "LabelListing":
    """Return the labels of the libraries, for a proposal as they are found."""
    from pipeline.library.labels import parse_sources, tag_fields
    from pipeline.library.scan import scan
    from pipeline.library.vocabulary.listing import list_labels
    from pipeline.library.vocabulary.load import with_vocabulary
    from pipeline.text import printable
    from workers.cli.runs.request import rules_of
    from workers.processes.tag_readers import TagReaders
    from workers.runs.progress import View

    rules = with_vocabulary(rules_of(given))
    if given["propose"] is not None:
        rules = rules.replace(folding=None)
    sources = parse_sources(labels=given["labels"], libraries=given["libraries"], vocabulary=rules.folding)
    fields = tag_fields(sources)
    with View(quiet=given["as_json"] or given["as_csv"]) as view, TagReaders(fields) as readers:
        tracks = scan(
            given["libraries"],
            sources=sources,
            rules=rules,
            on_problem=lambda path, reason: view.warning(f"cannot look into {printable(path)}: {reason}"),
            tags=readers if fields else None,
        )

        def counted() -> Any:
            for number, track in enumerate(tracks):
                if not number % 100:
                    view.update("scan", number)
                    signals.check()
                yield track

        view.stage("scan")
        listing = list_labels(counted(), rules.folding)
        view.finish("scan", listing.files, note=f"{listing.files} files, {len(listing.labels)} labels")
    return listing


def _wire(listing: "LabelListing", proposed: str | None) -> dict[str, Any]:
    """Return a listing as `--json` prints it, with what is odd of the labels as for `chordal scan`."""
    wire = listing.to_wire()
    findings = wire.pop("findings")
    for name in ("all_labels", "near_equal_groups", "near_equal_folds"):  # the labels are all listed, and alone
        del findings[name]
    return {**wire, "unknown": list(listing.unknown), **findings, "proposed": proposed}


def _print_csv(listing: "LabelListing") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("label", "files", "share", "known", "found_as"))
    for each in listing.labels:
        known = {None: "", True: "yes", False: "no"}[each.is_known]
        writer.writerow((each.label, each.files, f"{each.share:.6f}", known, "; ".join(each.found_as)))


def _show(listing: "LabelListing", given: dict[str, Any]) -> None:
    from pipeline.library.vocabulary.tally import describe_folding, short

    if listing.labels:
        rows = [(short(each.label), f"{each.files:,}", f"{each.share:.1%}", _remarks(each)) for each in listing.labels]
        show_rows(("label", "files", "share", ""), rows)
        console().print()
    facts = [("files", f"{listing.files:,}, {listing.unlabelled:,} of them without a label")]
    if listing.findings.folded is not None:
        facts.append(("vocabulary", describe_folding(listing.findings.folded)))
    if listing.dropped:
        facts.append(("dropped", _enumerated(listing.dropped)))
    if listing.unknown:
        facts.append(("unknown", f"{_enumerated(dict.fromkeys(listing.unknown))}: no names of the vocabulary"))
    for at, near in enumerate(listing.findings.near_equal[:SHOWN]):
        words = f"{_enumerated(near.labels)}: differ by {near.differ_by}"
        facts.append(("nearly equal" if not at else "", words))
    if more := len(listing.findings.near_equal) - SHOWN:
        facts += [("", f"and {more:,} more; --json has all")] if more > 0 else []
    if listing.findings.several:
        facts.append(("several in one", _enumerated(listing.findings.several)))
    if listing.singletons:
        facts.append(("of one file", _enumerated(dict.fromkeys(listing.singletons))))
    facts += _next_steps(listing, given)
    show_facts(facts)


def _next_steps(listing: "LabelListing", given: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what can be done about the labels."""
    from pipeline.text import printable

    if given["propose"] is not None:
        name = printable(given["propose"])
        return [("proposed", f"{name}: read and mend it; `chordal scan` with --vocabulary {name} shows what it does")]
    if not (listing.findings.near_equal or listing.findings.several):
        return []
    if given["vocabulary"] in _PROPOSED_FROM:
        return [("next", "--propose FILE writes a vocabulary that makes these one, to be read and mended")]
    return [("next", "if these are one, make them aliases in the vocabulary")]


def _remarks(each: "ListedLabel") -> str:
    """Return what a label was made of, and whether the vocabulary knows it."""
    words = [f"was {_enumerated(each.found_as)}"] if each.found_as else []
    if each.is_known is False:
        words.append("unknown to the vocabulary")
    return ", ".join(words)


def _enumerated(labels: dict[str, Any]) -> str:
    """Return labels, with the files of each where they are known, those above `SHOWN` as a number."""
    from pipeline.library.vocabulary.tally import short

    names = [f"{short(label)} {files:,}" if files is not None else short(label) for label, files in labels.items()]
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
