"""What a feature family is: a named set of columns with units and parameters, and what turns a stream into rows."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.audio.stream import Audio, AudioStream
from pipeline.wire import Value


class FeatureSpec(Value, frozen=True, kw_only=True):
    """The description of one family; two specs with the same fingerprint yield the same numbers."""

    name: str
    version: int
    """Raised whenever the numbers change for the same parameters."""
    title: str
    columns: tuple[str, ...]
    """Names of the entries of a row; of its last axis when rows are matrices."""
    units: tuple[str, ...]
    """One unit per column, "1" for pure numbers."""
    row_shape: tuple[int, ...]
    parameters: dict[str, float | int | str | bool]

    @property
    def fingerprint(self) -> str:
        """The first 12 hex digits of BLAKE2b over everything that decides the numbers."""
        content = msgspec.json.encode(
            {"name": self.name, "version": self.version, "columns": self.columns, "parameters": self.parameters},
            order="deterministic",
        )
        return hashlib.blake2b(content, digest_size=6).hexdigest()

    @property
    def key(self) -> str:
        """The name under which the store keeps this family's rows, e.g. `loudness-0f3a2b1c4d5e`."""
        return f"{self.name}-{self.fingerprint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRows:
    """The rows of one family for one track.

    `values` has shape (rows, *row_shape), float32; `start_s` (rows,) is where each row's sound begins, seconds;
    `channel` (rows,) is the channel index, or -1 for the mix of all channels.
    """

    values: Float32
    start_s: Float32
    channel: np.ndarray[tuple[int], np.dtype[np.int8]]

    def __len__(self) -> int:
        return len(self.values)


class Accumulator(Protocol):
    """Computes a family's rows of one track from its blocks, as they are decoded."""

    def push(self, block: AudioBlock) -> None:
        """Add the next block; its arrays are only valid until the next one.

        May raise a `PermanentError`, which is the family's failure on this track.
        """
        ...

    def finish(self) -> FeatureRows:
        """Return the rows, once, after the last block.

        Raises `TooShortError` when the file is shorter than one row needs.
        """
        ...


class FeatureFamily(Protocol):
    """A family: its description, and how to compute its rows."""

    @property
    def spec(self) -> FeatureSpec:
        """The description of the family."""
        ...

    def start(self, stream: StreamInfo) -> Accumulator:
        """Return what computes the family's rows for one file.

        May raise a `PermanentError` for a rate or a channel count that the family cannot use.
        """
        ...


def compute(family: FeatureFamily, audio: Audio) -> FeatureRows:
    """Return a family's rows of audio that is in memory as a whole."""
    accumulator = family.start(audio.info)
    for block in AudioStream(audio.info).blocks(audio.pieces()):
        accumulator.push(block)
    return accumulator.finish()
