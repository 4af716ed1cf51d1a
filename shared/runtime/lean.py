"""Import this before anything else in a service: it leaves out what a service never uses, and does
not look for garbage among what is being loaded.

structlog loads rich, where it is installed, to print errors in colours: 5 MiB in each process. Our
services print plain lines (`shared.runtime.logging`); the command line, which uses rich itself,
does not import this.

Modules stay, so each search for cycles while they are loaded is in vain: an eighth of a service's
start. `shared.runtime.lifecycle` takes over when all is loaded.
"""

from __future__ import annotations

import gc
import sys
from typing import Final

SEARCH_AFTER: Final = 1_000_000
"""New objects before cycles are looked for while modules are loaded; all of them
in one process make 320,000."""

gc.set_threshold(SEARCH_AFTER)

if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # so that importing it fails
