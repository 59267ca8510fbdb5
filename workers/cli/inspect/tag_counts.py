"""How many files of a home say what of themselves, and of which formats they are."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline.library.folders.file_names import WITHOUT_EXTENSION, extension_of
from pipeline.library.tags.tags import FIELDS
from pipeline.plans.album_part import file_path_of

if TYPE_CHECKING:
    from storage.home import Home


def tag_counts(home: "Home") -> dict[str, Any]:
    """Return the number of files of each format, of those whose tags are known, and of those with each field."""
    formats: Counter[str] = Counter()
    fields: Counter[str] = Counter(dict.fromkeys(FIELDS, 0))
    known = 0
    for record in home.store.snapshot().records():
        if record.mark == "deleted" or record.copy_of:
            continue
        formats[extension_of(file_path_of(record.path, record.part)) or WITHOUT_EXTENSION] += 1
        if record.tags is not None:
            known += 1
            fields.update(name for name in FIELDS if getattr(record.tags, name))
    return {"formats": dict(sorted(formats.items())), "known": known, "fields": dict(fields)}
