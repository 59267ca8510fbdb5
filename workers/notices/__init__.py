"""Notices of what happened, to whoever asked for them: a command, a page on the web, a mail address."""
