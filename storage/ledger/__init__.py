"""The ledger of a home: runs and their shards, trials and outcomes, and what became of every file."""
