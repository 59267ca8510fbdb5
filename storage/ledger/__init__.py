"""The ledger of a home: runs with their shards, trials and outcomes, and the state of every file."""
