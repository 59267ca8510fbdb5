"""A run as its command sees it: the request, the scan, publishing, waiting, recovery from lost tasks, cancellation."""
