"""``python -m archcost``: the command line."""

from costmodel.__main__ import main

main()
