"""Just enough of PromQL to see which metrics an expression asks for."""

import re

_NAME = re.compile(r"(?<![\w:$\"./{-])([a-zA-Z_:][\w:]*)(?!\w)(?!\s*\()")
_STRING = re.compile(r'"[^"]*"')
_SELECTOR = re.compile(r"\{[^}]*\}")
_DURATION = re.compile(r"\[[^\]]*\]")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_WORDS = frozenset({"and", "or", "unless", "offset", "bool", "by", "on", "inf", "nan"})


def metric_names(expression: str) -> set[str]:
    """Return the names of the metrics in an expression: not labels, functions or keywords."""
    bare = _STRING.sub('""', expression)
    for pattern in (_SELECTOR, _DURATION, _GROUPING):
        bare = pattern.sub(" ", bare)
    return {name for name in _NAME.findall(bare) if name not in _WORDS}
