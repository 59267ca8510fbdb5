"""The Celery application: settings, context of a process, canvas, base task, results."""
