"""Import this before anything else in a service: it leaves out what a service never uses.

structlog loads rich, where it is installed, to print errors in colours: 5 MiB in each process. Our
services print plain lines (`shared.runtime.logging`); the command line, which uses rich itself,
does not import this.
"""

from __future__ import annotations

import sys

if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # so that importing it fails
