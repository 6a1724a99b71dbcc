"""`python -m pipeline.cli` is `tape`."""

from pipeline.cli import main

main()
