"""Reading rows of many parts: where each track's rows lie, in pieces, read ahead."""
