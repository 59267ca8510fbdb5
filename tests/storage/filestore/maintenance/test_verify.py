"""Whatever bit flips is found and named; what can be mended is, and the rest counts as not extracted."""

import json
import random
import shutil

import pytest

from pipeline.errors import StoreError
from pipeline.library.tracks import track_id
from storage import FileFeatureStore
from storage.filestore.layout import Layout
from storage.testing.samples import SPECS, SPECTRA, TONES, content, features, record, rows, same_rows
from tests.storage.stores import files


@pytest.fixture
def mixed_store(store):
    """A store with parts, and segments in the inbox."""
    for number in range(6):
        store.commit(record(f"/{number}", number), features(number), SPECS)
    store.compact()
    for number in range(6, 8):
        store.commit(record(f"/{number}", number), features(number), SPECS)
    return store


def flip(path, at, bit=0):
    whole = bytearray(path.read_bytes())
    whole[at] ^= 1 << bit
    path.write_bytes(whole)


def part(store_folder, kind):
    (found,) = (store_folder / "parts").glob(f"{kind}-*")
    return found


def find(path, needle):
    return path.read_bytes().index(needle)


def heal(store):
    """Do what the next run does: extract what is not stored. Return of which tracks something was missing."""
    healed = []
    for number in range(8):
        expected = record(f"/{number}", number)
        known = store.record(expected.track_id)
        missing = set(SPECS) - store.families_of(content(number))
        if known is None or missing:
            healed.append(number)
            store.commit(expected, features(number), SPECS)
    return healed


def check_whole(store_folder):
    store = FileFeatureStore.open(store_folder)
    report = store.verify()
    assert report.damages == ()
    snapshot = store.snapshot()
    assert {found.path for found in snapshot.records()} == {f"/{number}" for number in range(8)}
    for key, family in SPECS.items():
        for number, found in enumerate(snapshot.rows(key, [content(n) for n in range(8)])):
            assert same_rows(found, rows(family, number))


def test_a_sound_store_is_told_what_was_read_and_left_as_it_is(mixed_store, store_folder):
    before = {path: path.read_bytes() for path in files(store_folder)}
    report = mixed_store.verify()
    assert report.damages == ()
    assert (report.segments, report.parts, report.records, report.contents) == (2, 3, 8, 16)
    assert report.documents == 3, "one set of families, two manifests"
    assert report.size_bytes == sum(path.stat().st_size for path in files(store_folder) if path.name != "store.json")
    assert mixed_store.repair() == report
    assert {path: path.read_bytes() for path in files(store_folder)} == before


@pytest.mark.parametrize("kind", ["tones", "spectra", "tracks", "segment", "manifest", "families"])
def test_every_flipped_bit_is_found_and_its_file_named(mixed_store, store_folder, kind):
    path = {
        "segment": files(store_folder / "inbox")[0],
        "manifest": store_folder / "manifest" / "00000001.json",
        "families": files(store_folder / "families")[0],
    }.get(kind) or part(store_folder, kind)
    whole = path.read_bytes()
    chance = random.Random(5)
    for at in [0, len(whole) - 1, *chance.sample(range(len(whole)), 25)]:
        flip(path, at, chance.randrange(8))
        named = {damage.file for damage in mixed_store.verify().damages}
        assert str(path.relative_to(store_folder)) in named, f"byte {at} of {len(whole)}"
        path.write_bytes(whole)
    assert mixed_store.verify().damages == ()


def test_a_flipped_bit_in_a_part_is_named_with_its_content_and_family_and_the_others_are_saved(
    mixed_store, store_folder
):
    path = part(store_folder, "tones")
    flip(path, find(path, rows(TONES, 2).values.tobytes()) + 5)
    report = mixed_store.verify()
    (damage,) = report.damages
    assert (damage.file, damage.content_hash, damage.family) == (f"parts/{path.name}", content(2), TONES.key)
    assert str(damage) == f"parts/{path.name}: rows fail their CRC-32 (content {content(2)}, family {TONES.key})"
    repairs = mixed_store.repair().repairs
    assert repairs == (f"parts/{path.name}: 5 contents saved into a new part, 1 lost and to be extracted again",)
    assert mixed_store.families_of(content(2)) == {SPECTRA.key}
    assert heal(mixed_store) == [2]
    check_whole(store_folder)


def test_a_flipped_bit_in_a_record_is_named_with_its_track_and_the_others_are_saved(mixed_store, store_folder):
    path = part(store_folder, "tracks")
    flip(path, find(path, bytes.fromhex(track_id("/3"))) + 45)
    damages = mixed_store.verify().damages
    assert {damage.file for damage in damages} == {f"parts/{path.name}"}
    assert track_id("/3") in {damage.track_id for damage in damages}
    with pytest.raises(StoreError, match=path.name):
        FileFeatureStore.open(store_folder).snapshot()
    report = mixed_store.repair()
    assert report.repairs == (f"parts/{path.name}: 5 records saved into a new part, 1 lost and to be extracted again",)
    assert heal(FileFeatureStore.open(store_folder)) == [3]
    check_whole(store_folder)


def test_a_bit_where_no_rows_are_is_named_and_the_part_written_anew(mixed_store, store_folder):
    path = part(store_folder, "tones")
    flip(path, find(path, rows(TONES, 5).values.tobytes()) + 5000)
    (damage,) = mixed_store.verify().damages
    assert (damage.file, damage.reason) == (f"parts/{path.name}", "bytes that are no rows fail their CRC-32")
    assert "6 contents saved into a new part, 0 lost" in mixed_store.repair().repairs[0]
    assert heal(mixed_store) == []
    check_whole(store_folder)


def test_a_part_whose_index_is_damaged_gives_up_what_its_rows_say_is_true(mixed_store, store_folder):
    path = part(store_folder, "spectra")
    flip(path, find(path, bytes.fromhex(content(4))) + 3)
    assert mixed_store.verify().damages
    with pytest.raises(StoreError, match=path.name):
        FileFeatureStore.open(store_folder).snapshot()
    assert "5 contents saved into a new part, 1 lost" in mixed_store.repair().repairs[0]
    assert heal(mixed_store) == [4]
    check_whole(store_folder)


@pytest.mark.parametrize("how", ["gone", "empty", "cut"])
def test_a_part_that_is_lost_costs_what_was_in_it_and_nothing_else(mixed_store, store_folder, how):
    path = part(store_folder, "tones")
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if how == "empty" else path.read_bytes()[:5000])
    (damage,) = mixed_store.verify().damages
    assert (damage.file, damage.family) == (f"parts/{path.name}", TONES.key)
    assert "0 contents saved into a new part, 6 lost" in mixed_store.repair().repairs[0]
    assert heal(FileFeatureStore.open(store_folder)) == list(range(6))
    check_whole(store_folder)


def test_a_damaged_segment_is_named_with_its_track_and_set_aside(mixed_store, store_folder):
    path = next(path for path in files(store_folder / "inbox") if path.name.startswith(track_id("/6")))
    flip(path, find(path, rows(TONES, 6).values.tobytes()))
    (damage,) = mixed_store.verify().damages
    assert (damage.track_id, damage.content_hash) == (track_id("/6"), content(6))
    assert damage.file == str(path.relative_to(store_folder))
    assert "will be extracted again" in mixed_store.repair().repairs[0]
    assert (store_folder / "damaged" / path.name).exists()
    assert heal(mixed_store) == [6]
    check_whole(store_folder)


@pytest.mark.parametrize("content_of_it", [b"", b"{", None])
def test_a_damaged_manifest_is_made_anew_from_the_parts(mixed_store, store_folder, content_of_it):
    path = store_folder / "manifest" / "00000001.json"
    if content_of_it is None:
        wire = json.loads(path.read_text())
        wire["parts"].pop()
        path.write_text(json.dumps(wire))
    else:
        path.write_bytes(content_of_it)
    with pytest.raises(StoreError, match=r"00000001\.json"):
        FileFeatureStore.open(store_folder).snapshot()
    assert [damage.file for damage in mixed_store.verify().damages] == ["manifest/00000001.json"]
    repairs = mixed_store.repair().repairs
    assert repairs == (
        "manifest: made anew from the 3 parts that are there",
        "manifest/00000001.json: set aside",
    )
    assert heal(FileFeatureStore.open(store_folder)) == []
    check_whole(store_folder)


def test_a_lost_document_about_families_is_made_anew_from_what_the_files_say(mixed_store, store_folder):
    (path,) = files(store_folder / "families")
    path.write_bytes(path.read_bytes().replace(b"dB", b"dA"))
    before = mixed_store.verify().damages
    assert f"families/{path.name}" in {damage.file for damage in before}
    report = FileFeatureStore.open(store_folder).repair()
    assert report.beyond_repair == ()
    assert heal(FileFeatureStore.open(store_folder)) == []
    check_whole(store_folder)
    shutil.rmtree(store_folder / "families")
    assert mixed_store.verify().damages
    FileFeatureStore.open(store_folder).repair()
    assert heal(FileFeatureStore.open(store_folder)) == []
    check_whole(store_folder)


def test_what_one_repair_left_another_goes_on_with(mixed_store, store_folder, monkeypatch):
    tones, spectra = part(store_folder, "tones"), part(store_folder, "spectra")
    flip(tones, find(tones, rows(TONES, 1).values.tobytes()))
    flip(spectra, find(spectra, rows(SPECTRA, 5).values.tobytes()))

    def die(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Layout, "publish_manifest", die)
        with pytest.raises(KeyboardInterrupt):
            mixed_store.repair()
    assert len(mixed_store.verify().damages) == 2
    mixed_store.repair()
    assert heal(mixed_store) == [1, 5]
    check_whole(store_folder)


def test_a_store_that_others_compact_meanwhile_is_found_sound(mixed_store, store_folder, monkeypatch):
    segments = Layout.segments

    def and_then_compacted(layout):
        names = list(segments(layout))
        monkeypatch.setattr(Layout, "segments", segments)
        FileFeatureStore.open(store_folder).compact()
        return iter(names)

    monkeypatch.setattr(Layout, "segments", and_then_compacted)
    report = mixed_store.verify()
    assert report.damages == ()
    assert report.records == 8
