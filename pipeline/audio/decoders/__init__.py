"""The libraries that make samples of a file, each behind the same small door (`base.Source`)."""
