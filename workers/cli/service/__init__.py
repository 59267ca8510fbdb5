"""Commands of the service: up, down, its parts, workers and the schedule."""
