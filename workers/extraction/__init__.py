"""Files into the store: orders, the extraction of one file, its copies and chunks, sealed shards, removals."""
