"""The table of all rules, in the order in which they are documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.validation.rule import Rule
from shared.validation.rules import document, graph, suppressions

RULES: Final[tuple[Rule, ...]] = (*document.RULES, *graph.RULES, *suppressions.RULES)

BY_CODE: Final[Mapping[str, Rule]] = {rule.code: rule for rule in RULES}
