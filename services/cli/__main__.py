"""`python -m services.cli`: the `hv` command."""

import sys

from services.cli.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
