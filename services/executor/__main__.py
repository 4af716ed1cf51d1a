"""`python -m services.executor`: one executor process."""

import shared.runtime.lean  # noqa: F401 - before all others
from services.executor.bootstrap import main

if __name__ == "__main__":
    main()
