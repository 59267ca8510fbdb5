"""`chordal watch`: extract what comes into a library, as it comes."""
