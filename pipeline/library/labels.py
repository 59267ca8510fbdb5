"""Where labels, groups and folds of a track come from: its folder, its file name, a CSV file or its embedded tags."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pipeline.errors import UsageError
from pipeline.library.layouts import layout_of
from pipeline.library.layouts.layout import Layout, LayoutReader
from pipeline.library.library_file import LibraryFile
from pipeline.library.tables.csv_file import read_metadata
from pipeline.library.tables.table import MetadataTable, Role
from pipeline.library.tables.text import western
from pipeline.library.unlabelled import TAG, similar_tag
from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.plans.vocabulary import Vocabulary
from pipeline.text import printable


class LabelSource(Protocol):
    """Gives a file its labels, groups or folds."""

    @property
    def spec(self) -> str:
        """The text it was parsed from, e.g. `folder:1`."""
        ...

    def values(self, file: LibraryFile) -> tuple[str, ...]:
        """Return what this source says of a file, the most important first; empty where it says nothing."""
        ...


def first_value(source: LabelSource | None, file: LibraryFile) -> str | None:
    """Return the first of a source's values of a file; None without a value, or without a source."""
    return next(iter(source.values(file)), None) if source is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLabels:
    """The name of the folder `levels` above the file; 1 is the folder it lies in."""

    spec: str
    levels: int = 1

    def values(self, file: LibraryFile) -> tuple[str, ...]:
        """Return the folder's name; nothing where there are fewer folders."""
        parts = file.path.rsplit("/", self.levels + 1)  # a tenth of the time that Path takes, for a million files
        return _tidy_all(parts[-1 - self.levels]) if len(parts) > self.levels else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NameLabels:
    """The match of a regular expression in the file's name: its first group, or all of it without one."""

    spec: str
    pattern: re.Pattern[str]

    def values(self, file: LibraryFile) -> tuple[str, ...]:
        """Return the match, nothing without one."""
        match = self.pattern.search(Path(file.path).name)
        return _tidy_all(match[1 if self.pattern.groups else 0]) if match else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvLabels:
    """A column of a metadata table."""

    spec: str
    table: MetadataTable
    role: Role

    def values(self, file: LibraryFile) -> tuple[str, ...]:
        """Return the column's entry in the file's row; nothing where it has none."""
        return _tidy_all(*self.table.values(file.path, self.role))


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLabels:
    """The values of an embedded tag."""

    spec: str
    field: str

    def values(self, file: LibraryFile) -> tuple[str, ...]:
        """Return the tag's values; nothing where the file has none or cannot be read (extraction records that)."""
        return _tidy_all(*file.tag_values(self.field))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutLabels:
    """What the layout of a published data set says."""

    spec: str
    layout: Layout
    reader: LayoutReader
    role: Role

    @property
    def table(self) -> MetadataTable | None:
        """The table of the set; None for one that has its labels in names."""
        return self.reader.table

    def values(self, file: LibraryFile) -> tuple[str, ...]:
        """Return the labels, the group or the fold of a file of the set; nothing for any other."""
        return _tidy_all(*self.reader.values(file.path, self.role))


def parse_labels(spec: str, *, libraries: Sequence[str] = ()) -> LabelSource:
    """Return the label source of `folder`, `folder:N`, `name:REGEX`, `csv:FILE`, `tag:FIELD` or `layout:NAME`.

    The paths of a CSV file may be relative to it or to one of the libraries. Raises `UsageError` with the mend.
    """
    return _parse(spec, "label", None, libraries)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSources:
    """Where labels, groups and folds come from, and what labels are folded to."""

    labels: LabelSource | None = None
    groups: LabelSource | None = None
    folds: LabelSource | None = None
    vocabulary: VocabularyIndex | None = None

    def labels_of(self, file: LibraryFile, *, multi: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the labels of a file, all or the first one alone, and what they were before the vocabulary."""
        values = self.labels.values(file) if self.labels is not None else ()
        if self.vocabulary is not None:
            return self.vocabulary.fold_track(values, multi=multi)
        return values if multi else values[:1], ()

    @property
    def tables(self) -> tuple[MetadataTable, ...]:
        """The tables that they read, each once."""
        sources = (self.labels, self.groups, self.folds)
        return tuple({table.source: table for each in sources if (table := table_of(each)) is not None}.values())

    @property
    def layouts(self) -> tuple[LayoutLabels, ...]:
        """Those that are of a data set's layout, each set once."""
        sources = (self.labels, self.groups, self.folds)
        return tuple({each.spec: each for each in sources if isinstance(each, LayoutLabels)}.values())


UNLABELLED = TrackSources()


def table_of(source: LabelSource | None) -> MetadataTable | None:
    """Return the table that a source reads; None for one without."""
    return getattr(source, "table", None)


def tag_fields(sources: TrackSources) -> tuple[str, ...]:
    """Return the fields of tags that some sources ask for, each once."""
    specs = [source.spec for source in (sources.labels, sources.groups, sources.folds) if source is not None]
    return tuple(dict.fromkeys(spec.removeprefix(TAG) for spec in specs if spec.startswith(TAG)))


def parse_sources(
    *,
    labels: str,
    groups: str | None = None,
    folds: str | None = None,
    libraries: Sequence[str] = (),
    vocabulary: Vocabulary | None = None,
) -> TrackSources:
    """Return all three sources of a run, and its vocabulary.

    For groups and folds, `csv` means the file of the labels; and where that file has a column `group` or `fold`
    and no other source was given, the column counts. Raises `UsageError` with the mend.
    """
    source = _parse(labels, "label", None, libraries)
    table = source.table if isinstance(source, CsvLabels) else None
    filled = {role for role in table.columns if table.is_filled(role)} if table else set()
    groups = groups or ("csv" if "group" in filled else None)
    folds = folds or ("csv" if "fold" in filled else None)
    return TrackSources(
        labels=source,
        groups=_parse(groups, "group", table, libraries, source) if groups else None,
        folds=_parse(folds, "fold", table, libraries, source) if folds else None,
        vocabulary=VocabularyIndex(vocabulary) if vocabulary is not None else None,
    )


def check_labelled(source: LabelSource, *, scanned: int, labelled: int, example: str) -> None:
    """Refuse a source that labelled none of the scanned files; `example` is the path of one of them."""
    if labelled or not scanned:
        return
    kind = source.spec.partition(":")[0]
    other_tag = f"give {similar}, or " if (similar := similar_tag(source.spec)) else ""
    mend = {
        "name": "the expression is searched in the file name alone; try it on that name",
        "csv": "its paths must be absolute, relative to the CSV file or to the library, or unique file names",
        "layout": "name the folder of the set as it is published",
        "tag": f"the files have no such tag; {other_tag}`folder` labels by the parent folder",
    }.get(kind, "there are fewer folders above the files")
    raise UsageError(
        f"labels {printable(source.spec)}: none of {scanned:,} files got a label, "
        f"e.g. {printable(Path(example).name)}; {mend}"
    )


def _parse(
    spec: str,
    role: Role,
    table: MetadataTable | None,
    libraries: Sequence[str],
    known: LabelSource | None = None,
) -> LabelSource:
    kind, colon, argument = spec.partition(":")
    subject = f"{role}s {printable(spec)}"
    match kind:
        case "folder":
            if colon and not (argument.isascii() and argument.isdigit() and int(argument) >= 1):
                raise UsageError(f"{subject}: give the number of folders upward, e.g. folder:1 for the parent")
            return FolderLabels(spec=spec, levels=int(argument) if colon else 1)
        case "name" if argument:
            return NameLabels(spec=spec, pattern=_pattern(argument, subject))
        case "layout" if argument:
            return _of_layout(spec, role, libraries, known)
        case "tag" if argument:
            return TagLabels(spec=spec, field=argument)
        case "csv" if argument or table:
            return _of_table(spec, role, read_metadata(argument, libraries=libraries) if argument else table)
        case "csv" if role != "label":
            raise UsageError(f"{subject}: the labels come from no CSV file; give one, as in csv:FILE")
        case _:
            forms = "folder, folder:N, name:REGEX, csv:FILE, tag:FIELD or layout:NAME"
            raise UsageError(f"{subject}: not understood; give {forms}")


def _of_table(spec: str, role: Role, table: MetadataTable | None) -> CsvLabels:
    if table is None:  # pragma: no cover -- guarded where it is called
        raise AssertionError
    if role not in table.columns:
        raise UsageError(
            f"{role}s {printable(spec)}: {printable(table.source)} has no column {role}; it has {table.header}"
        )
    return CsvLabels(spec=spec, table=table, role=role)


def _of_layout(spec: str, role: Role, libraries: Sequence[str], known: LabelSource | None = None) -> LayoutLabels:
    """Return what a layout says in a role; of one that is `known` the tables are not read again."""
    layout = layout_of(spec)
    if layout is None:  # pragma: no cover -- guarded where it is called
        raise AssertionError
    reader = known.reader if isinstance(known, LayoutLabels) and known.spec == spec else layout.read(libraries)
    if role not in reader.roles:
        raise UsageError(f"{role}s {printable(spec)}: {layout.title} has no {role}s here; leave it out")
    return LayoutLabels(spec=spec, layout=layout, reader=reader, role=role)


def _pattern(expression: str, subject: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise UsageError(f"{subject}: not a regular expression ({error}); e.g. 'name:^([a-z]+)'") from error


@lru_cache(maxsize=1024)
def _tidy_all(*labels: str | None) -> tuple[str, ...]:
    """Return the labels that are not empty as `_tidy` does, each once."""
    parts = (part for label in labels if label for part in label.split("\0"))  # which parts the values of a tag
    return tuple(dict.fromkeys(tidy for part in parts if (tidy := _tidy(part))))


def _tidy(label: str) -> str | None:
    """Return a label as text that JSON and a page can carry, one form per name; None for an empty one."""
    text = western(label) or label  # a folder of a system that wrote Windows-1252, as a table's cell
    return printable(unicodedata.normalize("NFC", text.strip())) or None
