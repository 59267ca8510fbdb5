"""From stored rows to an evaluated model: datasets, splits, models, search, training, evaluation."""
