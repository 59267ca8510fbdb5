"""What the rows of the `extract` table do; each is prepared from a path and returns what is timed.

A row imports what it needs when it is prepared, so that its peak memory is its own.
"""

from pathlib import Path

from pipeline.audio.decode import decode

LIMIT_S = 24 * 3600.0
TOGETHER = frozenset({"loudness", "mfcc_segments", "mfcc_mean", "logmel"})


def decoding(path):
    return lambda: decode(path, max_duration_s=LIMIT_S)


def _family(name, path):
    from pipeline.features.registry import family
    from pipeline.features.spec import compute

    audio = decode(path, max_duration_s=LIMIT_S)
    return lambda: compute(family(name), audio)


def loudness(path):
    return _family("loudness", path)


def mfcc_segments(path):
    return _family("mfcc_segments", path)


def mfcc_mean(path):
    return _family("mfcc_mean", path)


def logmel(path):
    return _family("logmel", path)


def frame_stats(path):
    return _family("frame_stats", path)


def _order(path):
    from pipeline.library.tracks import ExtractTrack, FileStamp, track_id

    told = Path(path).stat()
    return ExtractTrack(
        run_id="bench", shard=0, track_id=track_id(path), path=path, sequence=1, families=tuple(TOGETHER),
        stamp=FileStamp(size_bytes=told.st_size, mtime_ns=told.st_mtime_ns),
    )  # fmt: skip


def together(path):
    from pipeline.extraction.extract import extract

    order = _order(path)
    return lambda: extract(order, path=order.path, missing=TOGETHER, max_duration_s=LIMIT_S)


def together_and_commit(path, folder):
    from pipeline.extraction.extract import extract
    from pipeline.features.registry import family
    from storage import FileFeatureStore

    order = _order(path)
    specs = {spec.key: spec for spec in (family(name).spec for name in TOGETHER)}
    # A new folder each time: what is stored already would not be written again.
    store = FileFeatureStore.open(Path(folder))

    def work():
        record, rows = extract(order, path=order.path, missing=TOGETHER, max_duration_s=LIMIT_S)
        store.commit(record, rows, specs)

    return work


def notebook_everything(path):
    from tests.bench import notebook

    return lambda: notebook.everything(path)


def notebook_loudness(path):
    from tests.bench import notebook

    audio = decode(path, max_duration_s=LIMIT_S)
    samples = audio.samples.astype(float)
    return lambda: notebook.loudness_rows(samples, audio.sample_rate_hz)


def _of_mix(name, path):
    from tests.bench import notebook

    audio = decode(path, max_duration_s=LIMIT_S)
    return lambda: getattr(notebook, name)(notebook.mono(audio.samples, audio.sample_rate_hz))


def notebook_segments(path):
    return _of_mix("mfcc_segment_rows", path)


def librosa_mfcc(path):
    return _of_mix("mfcc_mean_row", path)


def notebook_logmel(path):
    return _of_mix("logmel_rows", path)
