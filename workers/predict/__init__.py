"""Labels for files and libraries by a registered model."""
