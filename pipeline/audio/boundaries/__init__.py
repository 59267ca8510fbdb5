"""Where sound begins and ends in a file, by its bytes: behind tags and junk, by lengths, between joined files."""
