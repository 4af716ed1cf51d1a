"""`python -m services.rollback`: one rollback service."""

import shared.runtime.lean  # noqa: F401 - before all others
from services.rollback.bootstrap import main

if __name__ == "__main__":
    main()
