"""`python -m services.learning`: one learning service."""

import services.learning.threads  # noqa: F401 - before numpy
import shared.runtime.lean  # noqa: F401 - before all others
from services.learning.bootstrap import main

if __name__ == "__main__":
    main()
