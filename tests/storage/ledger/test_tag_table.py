from pipeline.library.tags.tags import READER, Tags
from pipeline.library.tracks import FileStamp, track_id
from storage.ledger.tag_table import TagTable, select_fields

IDS = [track_id(f"/m/{number}") for number in range(5_000)]
STAMPS = [FileStamp(size_bytes=number, mtime_ns=-1 - number) for number in range(5_000)]


def tags(number: int) -> Tags:
    return Tags(genre=(f"G{number % 7}",), title=(f"T{number}\n",), cut=("title",), reader=READER)


def table(numbers) -> TagTable:
    return TagTable.of((IDS[number], STAMPS[number], tags(number)) for number in numbers)


def test_tags_are_found_by_id_where_the_stamp_is_the_same():
    known = table(range(0, 5_000, 2))
    assert len(known) == 2_500
    assert known.find(IDS, STAMPS) == [None if number % 2 else tags(number) for number in range(5_000)]
    other = [stamp.replace(mtime_ns=stamp.mtime_ns + 1) for stamp in STAMPS]
    assert set(known.find(IDS, other)) == {None}


def test_of_several_entries_of_a_file_the_last_counts():
    known = TagTable.of([(IDS[0], STAMPS[0], tags(1)), (IDS[0], STAMPS[0], tags(2))])
    assert (len(known), known.find(IDS[:1], STAMPS[:1])) == (1, [tags(2)])


def test_an_empty_table_knows_nothing():
    assert TagTable.of(()).find(IDS[:2], STAMPS[:2]) == [None, None]
    assert table([1]).find([], []) == []
    assert TagTable.of_bytes(TagTable.of(()).to_bytes()).find(IDS[:1], STAMPS[:1]) == [None]


def test_a_table_is_read_as_it_was_written_and_damage_is_found():
    known = table(range(20))
    data = known.to_bytes()
    assert TagTable.of_bytes(data).find(IDS[:30], STAMPS[:30]) == known.find(IDS[:30], STAMPS[:30])
    for damaged in (b"", data[:-9], data.replace(b"G3", b"G4")):
        assert TagTable.of_bytes(damaged) is None


def test_tables_are_merged_with_some_fields_and_what_they_know_of_these():
    whole = [tags(0), tags(1).replace(extra={"style": ("Cool",)}), tags(2).replace(reader=READER + 1)]
    known = TagTable.of(zip(IDS, STAMPS, whole, strict=False))
    newer = TagTable.of([(IDS[0], STAMPS[0], Tags(genre=("New",), reader=READER))], ["genre"])
    newer = TagTable.of_bytes(newer.to_bytes())
    merged = TagTable.merge([known, newer], ["genre"])
    assert merged.find(IDS[:4], STAMPS[:4]) == [
        Tags(genre=("New",), reader=READER),
        Tags(genre=("G1",), reader=READER),
        None,
        None,
    ]
    # the newer one has genres alone, so it says nothing of others
    styles, titles = TagTable.merge([known, newer], ["style"]), TagTable.merge([known, newer], ["title"])
    assert styles.find(IDS[:2], STAMPS[:2]) == [None, Tags(extra={"style": ("Cool",)}, reader=READER)]
    assert titles.find(IDS[:1], STAMPS[:1]) == [Tags(title=("T0\n",), cut=("title",), reader=READER)]
    assert TagTable.merge([], ["genre"]).find(IDS[:1], STAMPS[:1]) == [None]


def test_what_was_cut_stays_with_its_field():
    found = Tags(genre=("G",), cut=("block", "genre", "title"), reader=READER)
    assert select_fields(found, ["genre"]).cut == ("block", "genre")
    assert select_fields(found, ["Album Artist"]) == Tags(cut=("block",), reader=READER)
