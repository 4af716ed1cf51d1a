"""`python -m services.suggestion`: one suggestion process."""

import shared.runtime.lean  # noqa: F401 - before all others
from services.suggestion.bootstrap import main

if __name__ == "__main__":
    main()
