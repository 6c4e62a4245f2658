"""Print the catalogue: `python -m flows.catalogue [--refresh] [--provider P] [--model M] [--subtype S] [--json]`."""

import sys

from tasks.catalogue import main

if __name__ == "__main__":
    sys.exit(main(__doc__))
