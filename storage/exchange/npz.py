"""NPZ in the form in which the tutorial caches its features: `Xdata` (n, ...) and `Ydata` (n, 1), with more arrays.

A member of an archive is written without interruption, so the other arrays are kept in temporary files until the
values are complete.
"""

import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.text import printable
from storage.exchange.blocks import Block, Source
from storage.features.tables import LAST_COLUMNS

_COPY_BYTES = 1 << 20
_WORDS = {
    "track_path": "path",
    "track_id": "track_id",
    "track_label": "label",
    "track_group": "group",
    **{"track_number" if name == "track" else f"track_{name}": name for name in LAST_COLUMNS},
}
"""The arrays with a text for each track, and the attribute of the track that each has."""


class NpzFile:
    """The arrays of one family.

    `Xdata` float32 (n, *row_shape); `Ydata` int64 (n, 1), positions in `classes`, -1 without a label; `start_s`,
    `channel` and `track` (n,), positions in `track_path`, `track_id`, `track_label` and `track_group` (tracks,),
    `track_note`, and of the tags `track_title`, `track_artist`, ..., `track_number`, `track_bpm`,
    `track_key`, `track_comment`;
    `columns` and `units`.
    """

    def __init__(self, path: Path, source: Source) -> None:
        spec = source.spec
        self._stack = ExitStack()
        self._archive = self._stack.enter_context(zipfile.ZipFile(path, "x", zipfile.ZIP_STORED))
        self._source = source
        self._class = {label: at for at, label in enumerate(source.classes)}
        self._temporary: dict[str, IO[bytes]] = {
            name: self._stack.enter_context(tempfile.TemporaryFile(dir=path.parent))  # noqa: SIM115 - closed with it
            for name in ("Ydata", "start_s", "channel", "track", *_WORDS)
        }
        self._longest = dict.fromkeys(_WORDS, 1)
        self._tracks = 0
        for name, words in (("columns", spec.columns), ("units", spec.units), ("classes", source.classes)):
            array = np.array(words) if words else np.zeros(0, "U1")
            with self._member(name, array.shape, array.dtype) as member:
                member.write(array.tobytes())
        self._values = self._member("Xdata", (source.rows, *spec.row_shape), np.dtype("<f4"))

    def add(self, block: Block) -> None:
        """Write the next rows."""
        self._values.write(np.ascontiguousarray(block.rows.values, "<f4").data)
        classes = np.array([self._class.get(track.label or "", -1) for track in block.tracks], "<i8")
        self._temporary["Ydata"].write(classes[block.track].tobytes())
        self._temporary["start_s"].write(block.rows.start_s.astype("<f4").tobytes())
        self._temporary["channel"].write(block.rows.channel.tobytes())
        self._temporary["track"].write((block.track + block.first).astype("<i8").tobytes())
        new = block.tracks[max(0, self._tracks - block.first) :]
        self._tracks += len(new)
        for name, attribute in _WORDS.items():
            words = [printable(track.word(attribute) or "") for track in new]
            self._longest[name] = max(self._longest[name], *map(len, words), 0)
            self._temporary[name].write("".join(f"{word}\n" for word in words).encode())

    def close(self) -> None:
        """Write the other members."""
        self._values.close()
        rows = self._source.rows
        self._copy("Ydata", (rows, 1), np.dtype("<i8"))
        self._copy("start_s", (rows,), np.dtype("<f4"))
        self._copy("channel", (rows,), np.dtype("i1"))
        self._copy("track", (rows,), np.dtype("<i8"))
        for name in _WORDS:
            self._copy_words(name)
        self._stack.close()

    def _member(self, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> IO[bytes]:
        member = self._archive.open(f"{name}.npy", "w", force_zip64=True)
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        return member

    def _copy(self, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> None:
        temporary = self._temporary[name]
        temporary.seek(0)
        with self._member(name, shape, dtype) as member:
            while part := temporary.read(_COPY_BYTES):
                member.write(part)

    def _copy_words(self, name: str) -> None:
        """Write words as an array of fixed width, which can be read without pickle."""
        temporary = self._temporary[name]
        temporary.seek(0)
        dtype = np.dtype(f"<U{self._longest[name]}")
        with self._member(name, (self._tracks,), dtype) as member:
            for line in temporary:
                member.write(np.array([line.decode()[:-1]], dtype).tobytes())
