"""Feature families, one file each, behind a `FeatureSpec`."""
