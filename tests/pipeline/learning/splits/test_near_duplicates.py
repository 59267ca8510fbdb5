"""Tracks that are one recording: found after re-encoding and changes of level, and not between different sounds."""

import io

import numpy as np
import pytest
import soundfile
import soxr

from pipeline.audio.stream import Audio
from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.features.spec import compute
from pipeline.learning.dataset.load import build_manifest
from pipeline.learning.splits import make_split, units_of_split
from pipeline.learning.splits.duplicates import near_duplicates, same_contents
from pipeline.learning.splits.fingerprints import FINGERPRINTS
from pipeline.plans.split import SplitPlan

RATE_HZ = 44_100
SOUNDS = 24


def sound(number: int) -> np.ndarray:
    """Return 3 s of a sound of its own: partials, noise in a band, a rhythm; (n, 1) float32."""
    random = np.random.default_rng(number)
    t = np.arange(3 * RATE_HZ) / RATE_HZ
    pitch = 80 * 2 ** random.uniform(0, 4)
    glide = 1 + random.uniform(-0.3, 0.3) * t / 3
    partials = sum(random.random() / k * np.sin(2 * np.pi * pitch * k * glide * t) for k in range(1, 9))
    spectrum = np.fft.rfft(random.standard_normal(len(t)))
    low, high = np.sort(random.uniform(100, 10_000, 2))
    hz = np.fft.rfftfreq(len(t), 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum * np.exp(-((hz - (low + high) / 2) ** 2) / (high - low + 200) ** 2), len(t))
    pulse = 0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(0.5, 8) * t + random.uniform(0, 6))
    mix = partials / np.abs(partials).max() + random.uniform(0.1, 1.5) * noise / np.abs(noise).max()
    quiet = 0.001 * random.standard_normal(len(t))
    return (0.3 * mix * pulse ** random.uniform(0, 3) + quiet).astype(np.float32)[:, None]


def through(samples, form, subtype, rate_hz=RATE_HZ):
    """Return samples after an encoder: (samples, rate)."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), rate_hz, format=form, subtype=subtype)
    file.seek(0)
    return soundfile.read(file, dtype="float32", always_2d=True)


VARIANTS = {
    "mp3": lambda x: through(x, "MP3", "MPEG_LAYER_III"),
    "vorbis": lambda x: through(x, "OGG", "VORBIS"),
    "opus": lambda x: through(soxr.resample(x, RATE_HZ, 48_000).astype(np.float32), "OGG", "OPUS", 48_000),
    "flac": lambda x: through(x, "FLAC", "PCM_16"),
    "louder": lambda x: (x * 1.8, RATE_HZ),
    "softer": lambda x: (x * 0.25, RATE_HZ),
    "another rate": lambda x: (soxr.resample(x, RATE_HZ, 32_000).astype(np.float32), 32_000),
    "stereo": lambda x: (np.repeat(x, 2, axis=1), RATE_HZ),
}


def rows_of(name, samples, rate_hz=RATE_HZ):
    return compute(family(name), Audio(samples=np.ascontiguousarray(samples), sample_rate_hz=rate_hz)).values


@pytest.fixture(scope="module")
def features():
    """The rows of every sound and of every variant of the first two, by feature family."""
    names = ("frame_stats", "mfcc_mean", "mfcc_segments")
    sounds = {str(number): (sound(number), RATE_HZ) for number in range(SOUNDS)}
    sounds |= {f"{number} as {name}": vary(sound(number)) for number in range(2) for name, vary in VARIANTS.items()}
    return {name: {which: rows_of(name, *played) for which, played in sounds.items()} for name in names}


def stored(library, rows, name, *, only=lambda which: True):
    """Fill a library with the rows of one family and return its manifest; sounds are of three classes in turn."""
    key = f"{name}-0"
    for which, values in rows.items():
        if only(which):
            library.add(f"{which}.wav", f"class {int(which.split()[0]) % 3}", values, key=key)
    return build_manifest("run-1", library.scanned, library.source, {name: key})


def named(manifest, found):
    return [sorted(manifest.tracks[p].path.removeprefix("/library/") for p in each.tracks) for each in found]


@pytest.mark.parametrize("name", ["frame_stats", "mfcc_mean", "mfcc_segments"])
def test_what_was_encoded_again_or_made_louder_is_found_and_nothing_else(library, features, name):
    manifest = stored(library, features[name], name)

    found = near_duplicates(manifest, library.source)

    assert {each.kind for each in found} == {"near"}
    assert named(manifest, found) == [
        sorted([f"{number}.wav", *(f"{number} as {variant}.wav" for variant in VARIANTS)]) for number in range(2)
    ]
    assert all(0 < each.distance < FINGERPRINTS[name].limit for each in found)


@pytest.mark.parametrize("name", ["frame_stats", "mfcc_mean", "mfcc_segments"])
def test_different_sounds_are_never_taken_for_one(library, features, name):
    manifest = stored(library, features[name], name, only=lambda which: "as" not in which)

    assert near_duplicates(manifest, library.source) == ()


def test_what_sounds_the_same_is_kept_together_and_reported(library, features):
    manifest = stored(library, features["frame_stats"], "frame_stats")

    for seed in range(5):
        split = make_split(manifest, SplitPlan(), seed=seed, source=library.source)
        (partition,) = split.partitions
        for found in split.duplicates:
            assert found.kept
            sides = (partition.train, partition.validation, partition.test)
            assert sum(bool(set(found.tracks) & set(side)) for side in sides) == 1

    assert split.groups == SOUNDS
    assert len(set(units_of_split(manifest, split).tolist())) == SOUNDS
    assert "18 tracks sound like 2 recordings (near duplicates); kept together" in split.notes


def test_copies_of_a_near_duplicate_belong_to_its_set(library, features):
    rows = features["frame_stats"]
    manifest = stored(library, rows, "frame_stats", only=lambda which: which in {"0", "0 as mp3", "5", "7", "9"})
    library.add("0 again.wav", "class 0", rows["0"], key="frame_stats-0", content="0.wav")
    manifest = build_manifest("run-1", library.scanned, library.source, manifest.families)

    (same,) = same_contents(manifest)
    (near,) = near_duplicates(manifest, library.source)

    assert named(manifest, [same]) == [["0 again.wav", "0.wav"]]
    assert named(manifest, [near]) == [["0 again.wav", "0 as mp3.wav", "0.wav"]]


def test_the_search_can_be_switched_off(library, features):
    manifest = stored(library, features["frame_stats"], "frame_stats")

    split = make_split(manifest, SplitPlan(near_duplicates=False), seed=0, source=library.source)

    assert split.duplicates == ()
    assert split.groups == len(manifest.tracks)


def test_a_class_that_sounds_the_same_from_end_to_end_is_split_all_the_same_and_that_is_reported(library, features):
    rows = features["frame_stats"]
    manifest = stored(
        library, rows, "frame_stats", only=lambda which: which.startswith("0 as") or int(which.split()[0]) % 3
    )
    assert make_split(manifest, SplitPlan(), seed=0).groups == len(manifest.tracks)

    split = make_split(manifest, SplitPlan(), seed=0, source=library.source)

    assert [found.kept for found in split.duplicates] == [False, True]
    (note,) = [note for note in split.notes if "not kept together" in note]
    assert note.startswith(
        "8 tracks sound like one recording and were not kept together: a class would have had too few"
    )


def test_a_set_that_stands_in_the_way_of_folds_is_given_up_and_reported(library, features):
    """All variants of one sound, one per fold: kept out of training, the class would have nothing to learn from."""
    for number, variant in enumerate(VARIANTS):
        for which, label in ((f"0 as {variant}", "a"), (str(number + 3), "b")):
            library.add(
                f"{which}.wav", label, features["frame_stats"][which], key="frame_stats-0", fold=str(number % 4)
            )
    manifest = build_manifest("run-1", library.scanned, library.source, {"frame_stats": "frame_stats-0"})

    split = make_split(manifest, SplitPlan(), seed=0, source=library.source)

    assert [found.kept for found in split.duplicates] == [False]
    tied = [track.replace(group="one" if track.label == "a" else None) for track in manifest.tracks]
    with pytest.raises(UsageError, match=r"class a has no track left to learn from"):
        make_split(manifest.replace(tracks=tuple(tied)), SplitPlan(), seed=0)


def test_families_that_distinguish_too_little_are_not_read(library):
    for number in range(6):
        library.add(f"{number}.wav", "ab"[number % 2], np.full((4, 12), number), key="loudness-0")
    manifest = build_manifest("run-1", library.scanned, library.source, {"loudness": "loudness-0"})
    library.source.requested.clear()

    assert near_duplicates(manifest, library.source) == ()
    assert library.source.requested == []


def test_tracks_without_rows_are_passed_over(library, features):
    manifest = stored(library, features["mfcc_mean"] | {"30": np.zeros((0, 40))}, "mfcc_mean")

    found = near_duplicates(manifest, library.source)

    assert len(found) == 2
    assert "30.wav" not in {path for paths in named(manifest, found) for path in paths}


def test_rows_of_another_form_than_the_family_has_are_not_compared(blobs):
    library = blobs(12)

    assert near_duplicates(library.manifest(), library.source) == ()
