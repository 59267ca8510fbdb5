"""The tests that every feature store must pass; part of the package, so that other stores can be tested too."""
