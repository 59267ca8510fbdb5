"""What lies inside segments and parts, which share one schema.

    /                   attributes: format, schema, software
    /tracks             rows (records,) of what has a fixed width; path and more, texts that lie end to end;
                        attributes index_crc32 of the rows and, in parts, texts_crc32 of path and more
    /features/<key>     values (n, *row_shape) float32, start_s (n,) float32, channel (n,) int8 of all contents end to
                        end; indptr (contents + 1,) int64 tells where each begins; contents (contents,) whose they are;
                        attributes index_crc32 of contents and indptr, spec (JSON), in parts spelled out too

Every record and the rows of every content carry a CRC-32 that is checked whenever they are read.
"""

import zlib
from collections.abc import Mapping

import h5py
import numpy as np

from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import TrackRecord
from storage.filestore.format.families import ARRAYS, family_group, rows_crc, write_index
from storage.filestore.format.hdf5 import file_image, group, mark, put, write
from storage.filestore.format.image import Image
from storage.filestore.format.records import Tracks
from storage.filestore.layout import SCHEMA


def segment(
    record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]
) -> list[bytes | memoryview]:
    """Return the bytes of a segment, in pieces: the rows themselves are among them and are not copied."""

    def fill(file: h5py.File, image: Image) -> None:
        mark(file, schema=SCHEMA)
        Tracks.of(record).write(file)
        for key, rows in features.items():
            family = family_group(file, specs[key])
            for name, dtype in ARRAYS.items():
                write(family, name, getattr(rows, name).astype(dtype, copy=False), image=image)
            write_index(family, [record.content_hash], [len(rows)], [rows_crc(record.content_hash, rows)])

    return file_image(fill)


def tracks_part(table: Tracks) -> list[bytes | memoryview]:
    """Return the bytes of a part that holds records, in pieces."""

    def fill(file: h5py.File, _: Image) -> None:
        mark(file, schema=SCHEMA)
        table.write(file)
        # Of thousands of records, checking them one by one takes most of the time that reading them does.
        texts = zlib.crc32(b"".join([*table.path, *table.more]))
        put(group(file, "tracks"), "texts_crc32", np.uint32(texts))

    return file_image(fill)
