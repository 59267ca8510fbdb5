"""Parquet and CSV, both through Arrow."""

from pathlib import Path

from storage.exchange.blocks import Block, Source
from storage.features.tables import LAST_COLUMNS, TRACK_COLUMNS, column_names, record_batch, schema_of, units_of


class ParquetFile:
    """A Parquet file with a row group per block; units are in the columns' metadata, the spec in the schema's."""

    def __init__(self, path: Path, source: Source) -> None:
        from pyarrow import parquet

        self._spec = source.spec
        self._schema = schema_of(source.spec)
        # A dictionary for the words only: building one for the numbers takes most of the time, and they do not repeat.
        self._file = parquet.ParquetWriter(
            path, self._schema, compression="zstd", compression_level=1, use_dictionary=[*TRACK_COLUMNS, *LAST_COLUMNS]
        )

    def add(self, block: Block) -> None:
        """Write the next rows."""
        self._file.write_batch(record_batch(self._schema, self._spec, block.rows, block.tracks, block.track))

    def close(self) -> None:
        """Write the footer."""
        self._file.close()


class CsvFile:
    """A CSV file in UTF-8 with a header; a column's unit follows its name in brackets, where it has one.

    Rows that are matrices have a column for every number.
    """

    def __init__(self, path: Path, source: Source) -> None:
        import pyarrow as pa
        from pyarrow import csv

        self._spec = source.spec
        self._narrow = schema_of(source.spec)
        names = [
            name if unit == "1" else f"{name} [{unit}]"
            for name, unit in zip(column_names(source.spec, flat=True), units_of(source.spec, flat=True), strict=True)
        ]
        fields = [pa.field(name, pa.string()) for name in TRACK_COLUMNS]
        fields += [pa.field("start_s [s]", pa.float32()), pa.field("channel", pa.int8())]
        fields += [pa.field(name, pa.float32()) for name in names]
        self._schema = pa.schema([*fields, *(pa.field(name, pa.string()) for name in LAST_COLUMNS)])
        self._file = csv.CSVWriter(path, self._schema)

    def add(self, block: Block) -> None:
        """Write the next rows."""
        import pyarrow as pa

        batch = record_batch(self._narrow, self._spec, block.rows, block.tracks, block.track)
        columns = [batch.column(name).cast(pa.string()) for name in TRACK_COLUMNS]
        columns += [batch.column("start_s"), batch.column("channel")]
        values = block.rows.values.reshape(len(block.rows), -1)
        columns += [pa.array(values[:, at].copy()) for at in range(values.shape[1])]
        columns += [batch.column(name).cast(pa.string()) for name in LAST_COLUMNS]
        self._file.write_batch(pa.record_batch(columns, schema=self._schema))

    def close(self) -> None:
        """Write what is left."""
        self._file.close()
