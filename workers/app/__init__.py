"""The Celery application: settings, a process's context, controls, canvas, base task, results."""
