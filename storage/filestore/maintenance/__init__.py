"""Looking after the store: compaction, deletion marks, verification, repair and rescue."""
