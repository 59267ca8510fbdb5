"""The service of a home: its supervisor, its state, Flower and metrics."""
