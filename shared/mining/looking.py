"""Whether a command is known to change nothing."""

from __future__ import annotations

from functools import lru_cache

from shared.mining.forms import form_of
from shared.mining.programs import only_looks
from shared.mining.splitting import Part


@lru_cache(maxsize=50_000)
def looks(part: Part) -> bool:
    """Whether all commands of a part are known to change nothing, and it writes no file."""
    form = form_of(part)
    writes = any(
        t.kind == "redirect" and ">" in t.text and not t.text[-1].isdigit() for t in part.tokens
    )
    return not writes and all(
        only_looks(one.name, [*(t for _, t in one.arguments), *one.options])
        for one in form.commands
    )
