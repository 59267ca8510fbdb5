"""The schema of the HDF5 files that segments and parts are.

    /                   attributes: format, schema, software
    /tracks             rows (records,), the fields of fixed width; path and more, texts end to end;
                        identities (records,), the digests, ctime and inode, which older files lack;
                        attributes index_crc32 of the rows, identities_crc32, aliases: how many sounds lie under another
                        content's name, and, in parts, texts_crc32 of path and more
    /features/<key>     values (n, *row_shape) float32, start_s (n,) float32, channel (n,) int8 of all contents end to
                        end; indptr (contents + 1,) int64, where each content begins; contents (contents,), their
                        hashes and CRC-32; attributes index_crc32 of contents and indptr, spec (JSON), and in parts
                        each field of the spec

Every record and the rows of every content have a CRC-32 that is checked whenever they are read.
"""

import zlib
from collections.abc import Mapping

import h5py
import numpy as np

from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.tracks import TrackRecord
from storage.filestore.format.families import ARRAYS, family_group, rows_crc, write_index
from storage.filestore.format.hdf5 import file_image, group, write, write_attribute, write_header
from storage.filestore.format.image import Image
from storage.filestore.format.records import RecordTable
from storage.filestore.layout import SCHEMA


def segment_bytes(
    record: TrackRecord, features: Mapping[str, FeatureRows], specs: Mapping[str, FeatureSpec]
) -> list[bytes | memoryview]:
    """Return the bytes of a segment in consecutive pieces; large arrays of rows are among them, uncopied."""

    def fill(file: h5py.File, image: Image) -> None:
        write_header(file, schema=SCHEMA)
        RecordTable.of(record).write(file)
        for key, rows in features.items():
            family = family_group(file, specs[key])
            for name, dtype in ARRAYS.items():
                write(family, name, getattr(rows, name).astype(dtype, copy=False), image=image)
            write_index(family, [record.content_hash], [len(rows)], [rows_crc(record.content_hash, rows)])

    return file_image(fill)


def tracks_part_bytes(table: RecordTable) -> list[bytes | memoryview]:
    """Return the bytes of a part with the records of a table, in consecutive pieces."""

    def fill(file: h5py.File, _: Image) -> None:
        write_header(file, schema=SCHEMA)
        table.write(file)
        # One checksum of all texts: checking thousands of records one by one would take most of the reading time.
        texts = zlib.crc32(b"".join([*table.path, *table.more]))
        write_attribute(group(file, "tracks"), "texts_crc32", np.uint32(texts))

    return file_image(fill)
