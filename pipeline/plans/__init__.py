"""What a run is asked to do, as frozen values: recipes, runs, augmentation, made libraries, the gate."""
