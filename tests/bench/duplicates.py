"""How well `chordal duplicates` tells one piece in several encodings from others, and what its fingerprints cost.

200 pieces of ten seconds as WAV, MP3 of 128 kbit/s, M4A (AAC) of 96 kbit/s and Ogg Vorbis, and 1,000 other sounds as
they are. Given recordings (`--audio`) of 20 s and more are cut into pieces, shorter ones are others; made music fills
up. Counted are pairs of files in one set: those that are of one piece, of all that are (recall) and of all found
(precision). The limits were not chosen on the seeds of the made music here.

Left out: reading the store, and other masters and performances, of which there is no set to measure on.
"""

import itertools
import time

import numpy as np

from pipeline.audio.decode import open_audio
from pipeline.audio.stream import Audio
from pipeline.extraction.computation import compute_families
from pipeline.features.families import fingerprint
from pipeline.features.registry import family
from pipeline.features.spec import compute
from pipeline.library.duplicates import Copy, CopyFacts, Words, copy_sets
from pipeline.library.duplicates.candidates import candidates
from tests.bench.measuring import ratio, show, spread
from tests.bench.piece import write_song
from tests.support.songs import RATE_HZ, song, write

PIECES = 200
OTHERS = 1_000
PIECE_S = 10.0
FIRST_SEED = 10_000
ENCODINGS = {"wav": 0, "mp3": 128_000, "m4a": 96_000, "ogg": 0}
FACTS = CopyFacts(format="", lossless=False, bit_rate_kbps=0.0)
WORDS_OF_A_SONG = 2_060
"""Four minutes."""


def measure(folder, given) -> None:
    """Print the tables."""
    pieces, others = _sounds(given.audio)
    recorded = len(pieces), len(others)
    pieces += [song(FIRST_SEED + number, PIECE_S) for number in range(PIECES - len(pieces))]
    others += [song(2 * FIRST_SEED + number, PIECE_S) for number in range(OTHERS - len(others))]
    prints: dict[str, Words] = {}
    for number, piece in enumerate(pieces):
        for form, bit_rate in ENCODINGS.items():
            path = write(folder / f"piece.{form}", piece, bit_rate=bit_rate or 128_000)
            prints[f"piece {number}/{form}"] = _words(*_decoded(str(path)))
    for number, other in enumerate(others):
        prints[f"other {number}/"] = _words(other, RATE_HZ)
    begun = time.perf_counter()
    sets = copy_sets([_copy(name) for name in prints], prints, lambda _: FACTS)
    took_s = time.perf_counter() - begun
    found = {pair for each in sets for pair in itertools.combinations(sorted(copy.path for copy in each.copies), 2)}
    true = sum(first.split("/")[0] == second.split("/")[0] for first, second in found)
    wanted = len(pieces) * len(ENCODINGS) * (len(ENCODINGS) - 1) // 2
    show(
        f"duplicates: {len(pieces)} pieces ({recorded[0]} of them recorded) in {len(ENCODINGS)} encodings, "
        f"{len(others):,} others ({recorded[1]} of them recorded)",
        ("pairs", "found", "precision", "recall", "wall s"),
        [
            (
                f"{wanted:,}",
                f"{len(found):,}",
                f"{true / max(len(found), 1):.4f}",
                f"{true / wanted:.4f}",
                f"{took_s:.1f}",
            )
        ],
    )
    for first, second in sorted(pair for pair in found if pair[0].split("/")[0] != pair[1].split("/")[0])[:10]:
        print(f"taken for one: {first}, {second}")
    _measure_cost(folder, given)
    _measure_index(given.tracks[-1])


def _measure_cost(folder, given) -> None:
    """Print what the fingerprint adds to the extraction of a four-minute MP3."""
    path = write_song(folder)
    costs: dict[str, list[float]] = {"frame_stats": [], "frame_stats, fingerprint": []}
    for _ in range(given.repeats):
        for names, found in costs.items():
            begun = time.process_time()
            with open_audio(path, max_duration_s=600) as reader:
                info = Audio(
                    samples=np.zeros((1, reader.channels), np.float32), sample_rate_hz=reader.sample_rate_hz
                ).info
                compute_families(reader.blocks(), info, [family(name) for name in names.split(", ")], host="")
            found.append(time.process_time() - begun)
    least = costs["frame_stats"]
    show(
        "duplicates: the extraction of a four-minute MP3, decoding included",
        ("", "CPU s", "/ without"),
        [(names, spread(found), ratio(found, least) if found is not least else "") for names, found in costs.items()],
    )


def _measure_index(tracks: int) -> None:
    """Print what finding candidates costs among many songs, whose words collide as often as those of real ones."""
    rng = np.random.default_rng(1)
    levels = np.zeros(WORDS_OF_A_SONG, np.float32)
    prints = [
        Words(words=rng.integers(1, 3_300_000, WORDS_OF_A_SONG).astype(np.uint32), levels=levels) for _ in range(tracks)
    ]
    begun = time.perf_counter()
    count = sum(1 for _ in candidates(prints))
    took_s = time.perf_counter() - begun
    show(
        f"duplicates: candidates among {tracks:,} songs of four minutes, none of them alike",
        ("wall s", "us a song", "pairs to compare"),
        [(f"{took_s:.1f}", f"{1e6 * took_s / tracks:.0f}", f"{count:,}")],
    )


def _sounds(paths: list[str]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return pieces and others (n, 2) at 44.1 kHz, of recordings at that rate."""
    pieces, others = [], []
    for path in paths:
        samples, rate_hz = _decoded(path)
        if rate_hz != RATE_HZ:
            raise SystemExit(f"bench: {path}: give recordings at {RATE_HZ:,} Hz")
        stereo = np.repeat(samples[:, :1], 2, axis=1) if samples.shape[1] == 1 else samples[:, :2]
        length = int(PIECE_S * RATE_HZ)
        if len(stereo) < 2 * length:
            others.append(stereo)
        else:
            pieces += [stereo[begin : begin + length] for begin in range(0, len(stereo) - length + 1, length)]
    return pieces[:PIECES], others[:OTHERS]


def _decoded(path: str) -> tuple[np.ndarray, int]:
    with open_audio(path, max_duration_s=3_600) as reader:
        return np.concatenate([block.copy() for block in reader.blocks()]), reader.sample_rate_hz


def _words(samples, rate_hz: int) -> Words:
    values = compute(fingerprint, Audio(samples=np.ascontiguousarray(samples), sample_rate_hz=rate_hz)).values
    return Words(words=fingerprint.words_of(values), levels=fingerprint.levels_of(values))


def _copy(name: str) -> Copy:
    return Copy(
        path=name, file_key=name, sound_key=name, content_hash=name, size_bytes=1, duration_s=PIECE_S,
        sample_rate_hz=RATE_HZ, channels=2,
    )  # fmt: skip
