"""`python -m services.together NAME…`: several services in one process."""

import shared.runtime.lean  # noqa: F401 - before all others
from services.together.host import main

if __name__ == "__main__":
    main()
