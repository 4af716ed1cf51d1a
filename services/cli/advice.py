"""Commands that `hv` advises, written as this person types them: `./hv show …`, or `hv show …`."""

import os


def hv(words: str) -> str:
    """A command of `hv`, under the name by which it was called."""
    return f"{os.environ.get('HV_CALLED_AS', 'hv')} {words}"
