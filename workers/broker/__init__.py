"""The broker: address, health, embedded server, queues, priorities, counters, heartbeats."""
