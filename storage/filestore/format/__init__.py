"""The bytes of segments and parts: HDF5 files, tables of records and of rows, the checksum trailer."""
