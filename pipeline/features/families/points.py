"""Points in the plane, without sound: rows of a family for learning from numbers alone (T2)."""

from pipeline.audio.block import StreamInfo
from pipeline.errors import UnsupportedError
from pipeline.features.spec import Accumulator, FeatureSpec

spec = FeatureSpec(
    name="points",
    version=1,
    title="Points in the plane, imported and not extracted",
    columns=("x0", "x1"),
    units=("1", "1"),
    row_shape=(2,),
    parameters={},
)


def start(stream: StreamInfo) -> Accumulator:
    """Raise `UnsupportedError`: points are brought in with `chordal store import-npz`."""
    del stream
    raise UnsupportedError("points are imported, no sound has them")
