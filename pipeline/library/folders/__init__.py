"""The folders of a library: how they are walked, and what in them is sound, left out or not there."""
