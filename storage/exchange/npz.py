"""NPZ in the form that the tutorial caches its features in: `Xdata` (n, ...) and `Ydata` (n, 1), and more beside them.

A member of an archive is written in one go, so that all but the values wait in files beside it until those are done.
"""

import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.text import printable
from storage.exchange.blocks import Block, Source

_COPY_BYTES = 1 << 20
_WORDS = {"track_path": "path", "track_id": "track_id", "track_label": "label", "track_group": "group"}
"""Arrays, and what of a track they tell."""


class NpzFile:
    """The arrays of one family.

    `Xdata` float32 (n, *row_shape); `Ydata` int64 (n, 1), positions in `classes`, -1 without a label; `start_s`,
    `channel` and `track` (n,), positions in `track_path`, `track_id`, `track_label` and `track_group` (tracks,);
    `columns` and `units`.
    """

    def __init__(self, path: Path, source: Source) -> None:
        spec = source.spec
        self._stack = ExitStack()
        self._archive = self._stack.enter_context(zipfile.ZipFile(path, "x", zipfile.ZIP_STORED))
        self._source = source
        self._class = {label: at for at, label in enumerate(source.classes)}
        self._waiting: dict[str, IO[bytes]] = {
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
        said = np.array([self._class.get(track.label or "", -1) for track in block.tracks], "<i8")
        self._waiting["Ydata"].write(said[block.track].tobytes())
        self._waiting["start_s"].write(block.rows.start_s.astype("<f4").tobytes())
        self._waiting["channel"].write(block.rows.channel.tobytes())
        self._waiting["track"].write((block.track + block.first).astype("<i8").tobytes())
        new = block.tracks[max(0, self._tracks - block.first) :]
        self._tracks += len(new)
        for name, told in _WORDS.items():
            words = [printable(getattr(track, told) or "") for track in new]
            self._longest[name] = max(self._longest[name], *map(len, words), 0)
            self._waiting[name].write("".join(f"{word}\n" for word in words).encode())

    def close(self) -> None:
        """Write the other members."""
        self._values.close()
        rows = self._source.rows
        self._copy("Ydata", (rows, 1), np.dtype("<i8"))
        self._copy("start_s", (rows,), np.dtype("<f4"))
        self._copy("channel", (rows,), np.dtype("i1"))
        self._copy("track", (rows,), np.dtype("<i8"))
        for name in _WORDS:
            self._spread(name)
        self._stack.close()

    def _member(self, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> IO[bytes]:
        member = self._archive.open(f"{name}.npy", "w", force_zip64=True)
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        return member

    def _copy(self, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> None:
        waiting = self._waiting[name]
        waiting.seek(0)
        with self._member(name, shape, dtype) as member:
            while part := waiting.read(_COPY_BYTES):
                member.write(part)

    def _spread(self, name: str) -> None:
        """Write words as an array of fixed width, which needs no pickle to be read."""
        waiting = self._waiting[name]
        waiting.seek(0)
        dtype = np.dtype(f"<U{self._longest[name]}")
        with self._member(name, (self._tracks,), dtype) as member:
            for line in waiting:
                member.write(np.array([line.decode()[:-1]], dtype).tobytes())
