"""Where expressions stand in a text: `${{ … }}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def placeholders(text: str) -> Iterator[re.Match[str]]:
    """Every `${{ … }}` in a text; its group 1 is the expression. What is never closed is none, and
    is not looked for: each try would go to the end of the text."""
    return _PLACEHOLDER.finditer(text, 0, text.rfind("}}") + 2) if "}}" in text else iter(())
