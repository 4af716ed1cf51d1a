"""`python -m services.gateway`: one gateway process."""

import shared.runtime.lean  # noqa: F401 - before all others
from services.gateway.bootstrap import main

if __name__ == "__main__":
    main()
