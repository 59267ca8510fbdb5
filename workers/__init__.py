"""Celery tasks, the flow that joins them, the embedded broker and the command line."""
