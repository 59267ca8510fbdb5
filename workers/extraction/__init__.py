"""Files into the store: orders, the extraction of one file, copies and chunks, sealed shards, removals."""
