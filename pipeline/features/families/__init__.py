"""The feature families that ship with chordal, a module each: a `spec` and a `start`."""
