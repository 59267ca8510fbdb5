"""The files of a library: how they are found, named and labelled."""
