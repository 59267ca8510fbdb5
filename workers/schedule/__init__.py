"""What happens by the clock: nightly runs, recovery of abandoned runs, maintenance of the store."""
