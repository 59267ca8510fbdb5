"""Load every compiled kernel before it is needed."""


def warm() -> None:
    """Load every kernel, from the cache or by compiling it, and every table that does not depend on a file.

    For a worker to call before it forks, and once after installing: compiling takes some ten seconds, loading from
    the cache less than one.
    """
    import numpy as np

    from pipeline.audio.stream import Audio, AudioStream
    from pipeline.features.registry import built_in

    sound = np.random.default_rng(0).normal(0, 0.1, (4 * 8_000, 3)).astype(np.float32)
    for channels in (1, 2, 3):
        audio = Audio(samples=sound[:, :channels], sample_rate_hz=8_000)
        # All on one stream, which resamples and transforms once.
        working = [family.start(audio.info) for family in built_in().values()]
        for block in AudioStream(audio.info).blocks(audio.pieces()):
            for each in working:
                each.push(block)
        for each in working:
            each.finish()
