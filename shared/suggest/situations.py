"""What a template says of itself: its words by field, and texts in which it is the right one.

Texts are the situations that its author wrote. A template without any is known by its name and
description alone, which is little: it is then found where a text speaks of the same things.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.suggest.words import counted
from shared.workflow.definition import Template

FEW: Final = 8
"""Situations below which what a template says of itself is used part by part, too."""


@dataclass(frozen=True)
class Profile:
    """What is known of one template before anybody has used it."""

    id: str
    name: str
    keywords: tuple[str, ...]
    fields: dict[str, Counter[str]]
    examples: tuple[str, ...]


def profile(template: Template) -> Profile:
    """The profile of a template."""
    keywords = [word for trigger in template.triggers for word in trigger.keywords]
    texts = {
        "name": [template.name],
        "keywords": keywords,
        "tags": [*template.tags, template.category],
        "description": [template.description, *(t.description for t in template.triggers)],
        "steps": [f"{step.name} {step.description}" for step in template.every_step],
        "situations": template.situations,
    }
    return Profile(
        id=template.id,
        name=template.name,
        keywords=tuple(dict.fromkeys(keywords)),
        fields={field: _counted(found) for field, found in texts.items()},
        examples=tuple(dict.fromkeys((*template.situations, *_about(template)))),
    )


def _about(template: Template) -> list[str]:
    """Its name and description as one text; where situations are few, also part by part."""
    description = " ".join(template.description.split())
    found = [f"{template.name}. {description}".strip()]
    if len(template.situations) < FEW:
        found.append(template.name)
        found.extend(one for one in re.split(r"(?<=[.!?:;]) ", description) if one)
        found.extend(trigger.description for trigger in template.triggers if trigger.description)
    return found


def _counted(texts: Sequence[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in texts:
        found.update(counted(text))
    return found
