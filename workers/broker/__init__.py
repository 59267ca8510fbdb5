"""The broker: its address and health, the embedded server, counters, queues, priorities, heartbeats."""
