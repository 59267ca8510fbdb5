"""From audio files to features, models, scores and reports: no Celery, Redis, HDF5 or environment in here."""
