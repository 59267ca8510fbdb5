"""The plans of runs, as frozen values: recipes, runs, augmentation, synthetic libraries, the gate."""
