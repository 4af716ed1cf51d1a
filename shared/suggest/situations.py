"""What a template says of itself: its words by field, and texts in which it is the right one.

Texts are the situations that its author wrote. A template without any is known by its name and
description alone, which is little: it is then found where a text speaks of the same things.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shared.suggest.words import counted
from shared.workflow.definition import Template


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
    about = f"{template.name}. {' '.join(template.description.split())}"
    return Profile(
        id=template.id,
        name=template.name,
        keywords=tuple(dict.fromkeys(keywords)),
        fields={field: _counted(found) for field, found in texts.items()},
        examples=tuple(dict.fromkeys((*template.situations, about.strip()))),
    )


def _counted(texts: Sequence[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in texts:
        found.update(counted(text))
    return found
