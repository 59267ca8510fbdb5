"""Reading rows of many files in pieces: where the rows of each content are, and fetching them ahead of time."""
