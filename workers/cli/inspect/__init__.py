"""Commands that show what there is: status, failures, models, recipes, features, the store."""
