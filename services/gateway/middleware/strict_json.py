"""JSON as RFC 8259 has it. Python's parser takes more: `NaN`, `Infinity`, numbers without bound,
and halves of characters, none of which could be stored or sent on.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

_HALF: Final = (b"\\ud", b"\\uD")
"""What an escaped half of a character (a surrogate) begins with."""


def why_not_json(body: bytes) -> str | None:
    """What is wrong with a body of JSON; `None` when it is good. The body must not nest deeply."""
    try:
        parsed = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        if any(start in body for start in _HALF):
            json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        return f"byte {error.start} is not UTF-8"
    except UnicodeEncodeError:
        return "a \\u escape stands for half a character"
    except json.JSONDecodeError as error:
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    except ValueError as error:
        return str(error).partition(":")[0]
    return None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> Any:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:30]} is larger than any number that can be kept")
    return number
