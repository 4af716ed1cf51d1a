"""A template as canonical JSON text, and the hash that tells whether two definitions are the same.

Only what the author wrote is in the text: a default that is written and one that is left out are
different definitions, because a later release may have another default.
"""

from __future__ import annotations

import hashlib
import json

from shared.workflow.definition import Template


def canonical_text(template: Template) -> str:
    """JSON with sorted keys and without blanks; `Template.model_validate_json` reads it back."""
    data = template.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(template: Template) -> str:
    """SHA-256 of the canonical text, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_text(template).encode()).hexdigest()


def version_order(version: str) -> str:
    """Text that sorts as versions do, releases above all pre-releases: the last one is the newest.

    Numbers carry their length, so that 10 comes after 9 whatever their size.
    """
    core, _, pre = version.partition("+")[0].partition("-")
    numbers = ".".join(f"{len(n):03d}{n}" for n in core.split("."))
    return f"{'0' if pre else '1'} {numbers} {pre}"
