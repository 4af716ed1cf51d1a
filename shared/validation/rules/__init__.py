"""The table of all rules, in the order in which they are documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.validation.rule import Rule
from shared.validation.rules import (
    approvals,
    calls,
    commands,
    concurrency,
    deletes,
    destruction,
    document,
    downloads,
    expressions,
    foreseen,
    graph,
    live,
    outputs,
    plain_secrets,
    privileges,
    run,
    scripts,
    secrets,
    suppressions,
    times,
    ways_back,
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
    *ways_back.RULES,
    *approvals.RULES,
    *concurrency.RULES,
    *deletes.RULES,
    *destruction.RULES,
    *privileges.RULES,
    *downloads.RULES,
    *plain_secrets.RULES,
    *live.RULES,
    *foreseen.RULES,
    *suppressions.RULES,
)

BY_CODE: Final[Mapping[str, Rule]] = {rule.code: rule for rule in RULES}
