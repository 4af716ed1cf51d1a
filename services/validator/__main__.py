"""`python -m services.validator`: one validator process."""

import shared.runtime.lean  # noqa: F401 - before all others
from services.validator.bootstrap import main

if __name__ == "__main__":
    main()
