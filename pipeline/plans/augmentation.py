"""The augmentation of a recipe, and the copies that follow from it: plain values, drawn without a generator's state.

A copy is decided by the content of its original, its number and the plan's seed, so that it is the same on every
host and in every run, and is stored once, under a content key of its own.
"""

import hashlib

import msgspec

from pipeline.errors import UsageError
from pipeline.wire import Value

Range = tuple[float, float]
"""From, to."""

MAX_COPIES = 16

_BOUNDS: dict[str, Range] = {
    "speed": (0.5, 2.0),
    "tempo": (0.5, 2.0),
    "pitch_semitones": (-12.0, 12.0),
    "shift_s": (-60.0, 60.0),
    "gain_db": (-40.0, 40.0),
    "snr_db": (-20.0, 100.0),
}


class Variation(Value, frozen=True, kw_only=True):
    """How one copy differs from its original; applied in the order of the fields."""

    copy: int
    """1, 2, ..."""
    seed: int
    version: int = 1
    """Raised whenever the sound changes for the same parameters."""
    speed: float = 1.0
    """Faster and higher by this factor, like a tape."""
    tempo: float = 1.0
    """Faster by this factor, at the same pitch."""
    pitch_semitones: float = 0.0
    """Higher by this much, at the same tempo."""
    shift_s: float = 0.0
    """Later by this much, seconds (earlier below 0), silence where sound is missing; at most half the track."""
    gain_db: float = 0.0
    snr_db: float | None = None
    """Power of the sound over that of white noise added to it, dB; None adds none."""

    def content_key(self, content_hash: str) -> str:
        """Return the content hash of the copy of a content: 32 hex digits, BLAKE2b of the hash and the parameters."""
        content = content_hash.encode() + msgspec.json.encode(self, order="deterministic")
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def __str__(self) -> str:
        """Return the parameters in words."""
        units = {
            "speed": "x speed",
            "tempo": "x tempo",
            "pitch_semitones": " semitones",
            "shift_s": " s shift",
            "gain_db": " dB gain",
            "snr_db": " dB over noise",
        }
        neutral = Variation(copy=self.copy, seed=self.seed)
        values = {name: getattr(self, name) for name in units if getattr(self, name) != getattr(neutral, name)}
        return f"copy {self.copy}: " + ", ".join(f"{value:g}{units[name]}" for name, value in values.items())


class AugmentPlan(Value, frozen=True, kw_only=True):
    """A recipe's `[augment]` table: altered copies of every labelled track, extracted beside it, for training only.

    Each kind is drawn evenly from its range; kinds that are not given leave the sound as it is.
    """

    copies: int = 1
    seed: int = 1
    speed: Range | None = None
    tempo: Range | None = None
    pitch_semitones: Range | None = None
    shift_s: Range | None = None
    gain_db: Range | None = None
    snr_db: Range | None = None

    def check(self, where: str) -> None:
        """Raise `UsageError` naming the key with an impossible value."""
        if not 1 <= self.copies <= MAX_COPIES:
            raise UsageError(f"{where}.copies is {self.copies}; give 1 to {MAX_COPIES}")
        ranges = {name: value for name in _BOUNDS if (value := getattr(self, name)) is not None}
        if not ranges:
            raise UsageError(f"{where}: nothing to alter; give a range for one of {', '.join(_BOUNDS)}")
        for name, (low, high) in ranges.items():
            least, most = _BOUNDS[name]
            if not least <= low <= high <= most:
                raise UsageError(f"{where}.{name} is [{low:g}, {high:g}]; give a range within [{least:g}, {most:g}]")

    def __str__(self) -> str:
        """Return the ranges in words."""
        ranges = {name: value for name in _BOUNDS if (value := getattr(self, name)) is not None}
        return ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in ranges.items())

    def track_id(self, track_id: str, copy: int) -> str:
        """Return the id under which the store records a copy of a track: the same when the file changes."""
        content = b"%s %d " % (track_id.encode(), copy) + msgspec.json.encode(self, order="deterministic")
        return hashlib.blake2b(content, digest_size=16).hexdigest()


def variations(plan: AugmentPlan | None, content_hash: str) -> tuple[Variation, ...]:
    """Return how the copies of a content differ from it; none without a plan."""
    if plan is None:
        return ()
    ranges = {name: value for name in _BOUNDS if (value := getattr(plan, name)) is not None}
    return tuple(
        Variation(copy=copy, seed=plan.seed).replace(
            **{name: _number_in(bounds, f"{plan.seed} {content_hash} {copy} {name}") for name, bounds in ranges.items()}
        )
        for copy in range(1, plan.copies + 1)
    )


def _number_in(bounds: Range, key: str) -> float:
    """Return the number in a range that follows from a text, evenly spread, rounded to six decimals; never changes."""
    low, high = bounds
    share = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64
    return round(low + (high - low) * share, 6)


class RowAugmentation(Value, frozen=True, kw_only=True):
    """A recipe's `[models.augment]` table: altered copies of the training rows, made anew for each fit.

    Masks are those of SpecAugment (Park et al., 2019): what is masked has the mean of the training rows.
    """

    copies: int = 1
    """Altered copies of each training row, beside the row itself."""
    time_masks: int = 0
    """Stretches of time masked in each row; for rows that are matrices (frames, columns)."""
    time_share: float = 0.1
    """The longest one's share of the frames."""
    column_masks: int = 0
    """Runs of columns (mel bands, coefficients) masked in each row."""
    column_share: float = 0.1
    """The widest one's share of the columns."""
    noise_sd: float = 0.0
    """White noise, in standard deviations of each column over the training rows."""
    scale_sd: float = 0.0
    """Gain: each row's distance from the mean is multiplied by a factor around 1 with this standard deviation."""

    def check(self, where: str) -> None:
        """Raise `UsageError` naming the key with an impossible value."""
        if not 1 <= self.copies <= MAX_COPIES:
            raise UsageError(f"{where}.copies is {self.copies}; give 1 to {MAX_COPIES}")
        for name in ("time_masks", "column_masks", "noise_sd", "scale_sd"):
            if not 0 <= (value := getattr(self, name)) <= MAX_COPIES:
                raise UsageError(f"{where}.{name} is {value}; give 0 to {MAX_COPIES}")
        for name in ("time_share", "column_share"):
            if not 0 < (value := getattr(self, name)) < 1:
                raise UsageError(f"{where}.{name} is {value}; give a share between 0 and 1")
        if not (self.time_masks or self.column_masks or self.noise_sd or self.scale_sd):
            raise UsageError(f"{where}: nothing to alter; give time_masks, column_masks, noise_sd or scale_sd")
