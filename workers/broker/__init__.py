"""The broker: address, health, rights, embedded server, queues, priorities, counters, heartbeats."""
