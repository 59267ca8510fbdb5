"""Augmentation: altered copies of training material, of its sound when extracted or of its rows when learned."""
