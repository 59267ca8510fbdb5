"""Tables with a path per row, and what they say of the files of a library."""
