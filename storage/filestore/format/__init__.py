"""What is inside a segment or part: HDF5 files, packed records and rows, the checksum trailer."""
