"""The model families that ship with chordal, a module each."""
