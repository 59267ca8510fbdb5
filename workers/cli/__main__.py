"""`python -m workers.cli` is `chordal`."""

from workers.cli import main

main()
