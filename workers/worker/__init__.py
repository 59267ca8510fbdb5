"""One Celery worker: its start, and the bootsteps that admit, slow down and report its work."""
