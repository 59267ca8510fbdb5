"""Albums in one file: cue sheets beside files and inside them, and the tracks that they cut."""
