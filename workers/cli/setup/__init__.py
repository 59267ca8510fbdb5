"""Commands around a first use: doctor, the demo library, shell completion."""
