"""The inner loops, compiled by Numba into its cache; each module is one subject.

Importing a kernel module costs the import of Numba, so families import them when a track is started.
"""


def warm() -> None:
    """Load every kernel, from the cache or by compiling it, and every table that does not depend on a file.

    For a worker to call before it forks, and once after installing: compiling takes some ten seconds, loading from
    the cache less than one.
    """
    import numpy as np

    from pipeline.audio import Audio
    from pipeline.features.registry import built_in
    from pipeline.features.spec import compute

    sound = np.random.default_rng(0).normal(0, 0.1, (4 * 8_000, 2)).astype(np.float32)
    for channels in (1, 2):
        for family in built_in().values():
            compute(family, Audio(samples=sound[:, :channels], sample_rate_hz=8_000))
