"""A cue: a kind of sign, what it says of a text, and how it is seen.

General knowledge of the field, of no one source of texts and of no one template. A pattern is a
regular expression that goes over several lines, broken where an alternative ends; case matters only
where `cased` says so. Words in angle brackets stand for what `WORDS` says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

WORDS: Final = {
    "<CLOCK>": r"\d{1,2}(?:[:.h]\d\d)?\s?(?:[ap]\.?m\.?)?",
    "<ZONE>": r"(?:utc|gmt|cest|cet|bst|[ecmp][ds]?t|z)",
    "<DAY>": r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?",
    "<MONTH>": r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?",
    "<START>": r"(?:^|\n|[.!?:] )\s*(?:[-*•]\s+|\d+[.)]\s+|\w+(?:\([\w-]+\))?!?:\s+)?",
}
"""`<START>` begins a sentence or an entry of a list, behind a prefix like `fix: `."""


@dataclass(frozen=True)
class Cue:
    """A kind of sign: its name, what a text that shows it does, and how it is seen."""

    name: str
    says: str
    alternatives: str
    cased: bool = False

    def pattern(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return compiled(self.alternatives, WORDS, self.cased)


def compiled(alternatives: str, words: Mapping[str, str], cased: bool) -> re.Pattern[str]:
    """A pattern that goes over several lines, with the words in angle brackets replaced."""
    text = "".join(line.strip() for line in alternatives.strip().splitlines())
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return re.compile(text, 0 if cased else re.IGNORECASE)
