"""Loading a service's settings, once, with an answer a person can use when they do not fit."""

from __future__ import annotations

import sys
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

S = TypeVar("S", bound=BaseSettings)


def load_settings(model: type[S]) -> S:
    """The settings from the environment; ends the process with exit code 2 and a sentence for each
    variable that does not fit."""
    try:
        return model()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"][:1]).upper()
            message = problem["msg"].removeprefix("Value error, ")
            sys.stderr.write(f"HIVE_{name}: {message} (see docs/reference/settings.md)\n")
        raise SystemExit(2) from None
