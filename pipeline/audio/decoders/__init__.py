"""The libraries that decode files, each behind the same small interface (`base.Source`)."""
