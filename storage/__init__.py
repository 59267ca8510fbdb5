"""The store that cannot lose a track, the run ledger and the model registry."""
