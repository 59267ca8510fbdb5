"""Load every compiled kernel before it is needed."""

from collections.abc import Collection
from pathlib import Path


def warm(names: Collection[str] = ()) -> None:
    """Load every kernel, from the cache or by compiling it, and every table that does not depend on a file.

    Of some families by their names, or of all that come with chordal. For a worker to call before it forks, and once
    after installing: compiling takes some ten seconds, loading from the cache less than one.
    """
    import numpy as np

    from pipeline.audio.stream import Audio, AudioStream
    from pipeline.features.registry import built_in

    # As good as noise to the kernels, and spares the import of numpy.random.
    sound = (0.1 * np.sin(np.arange(4.0 * 8_000 * 3) ** 2)).astype(np.float32).reshape(-1, 3)
    for channels in (1, 2, 3):
        audio = Audio(samples=sound[:, :channels], sample_rate_hz=8_000)
        # All on one stream, which resamples and transforms once.
        accumulators = [family.start(audio.info) for name, family in built_in().items() if name in names or not names]
        for block in AudioStream(audio.info).blocks(audio.pieces()):
            for accumulator in accumulators:
                accumulator.push(block)
        for accumulator in accumulators:
            accumulator.finish()


def kernel_folders() -> tuple[Path, ...] | None:
    """Return the folders that this process has the kernels from; None when one has to be compiled, which is not done.

    For a process that has loaded none before. Costs what a worker's start does.
    """
    from pipeline.kernels import cache

    try:
        with cache.without_compiling():
            warm()
    except cache.NotCompiledError:
        return None
    return tuple(sorted(cache.loaded_from))
