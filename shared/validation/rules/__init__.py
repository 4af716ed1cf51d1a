"""The table of all rules, in the order in which they are documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.validation.rule import Rule
from shared.validation.rules import (
    calls,
    commands,
    document,
    expressions,
    foreseen,
    graph,
    live,
    outputs,
    run,
    scripts,
    secrets,
    suppressions,
    times,
)

RULES: Final[tuple[Rule, ...]] = (
    *document.RULES,
    *graph.RULES,
    *commands.RULES,
    *expressions.RULES,
    *outputs.RULES,
    *calls.RULES,
    *times.RULES,
    *secrets.RULES,
    *scripts.RULES,
    *run.RULES,
    *live.RULES,
    *foreseen.RULES,
    *suppressions.RULES,
)

BY_CODE: Final[Mapping[str, Rule]] = {rule.code: rule for rule in RULES}
