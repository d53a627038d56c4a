"""``python -m ectopy`` is the command line."""

from ectopy.cli import main

main()
