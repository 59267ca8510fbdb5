"""A run from the command's side: request, scan, publish, wait, monitor, cancel."""
