"""Writes `proto/`: JSON Schemas, AsyncAPI and golden samples of every contract.

`files` gives what belongs there; `./hv proto` writes it and `./hv check` compares. `freeze` keeps
the samples of a release, which later versions must be able to read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Final

from shared.contracts import asyncapi
from shared.contracts.catalog import contracts
from shared.contracts.samples import samples

PROTO: Final = PurePosixPath("proto")
SCHEMAS: Final = PROTO / "schemas"
CURRENT: Final = PROTO / "samples" / "current"


def files() -> dict[PurePosixPath, str]:
    """Every generated file of `proto/` by its path in the repository."""
    schemas = {
        SCHEMAS / f"{contract.name}.json": _json(contract.schema())
        for contract in contracts().values()
    }
    golden = {CURRENT / f"{name}.json": text for name, text in samples()}
    return schemas | golden | {PROTO / "asyncapi.yaml": asyncapi.render()}


def freeze(root: Path, release: str) -> int:
    """Keep today's samples as those of a release; return how many.

    Raises `ValueError` for a name that is not `v` and a number, and `FileExistsError` when that
    release has samples: what was released stays as it was.
    """
    if not re.fullmatch(r"v[1-9]\d{0,3}", release):
        raise ValueError(f"a release is named v1, v2 and so on, not {release!r}")
    folder = root / PROTO / "samples" / release
    if folder.exists():
        raise FileExistsError(
            f"{folder} exists: samples of a release are never changed. Name a new one."
        )
    kept = dict(samples())
    for name, text in kept.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return len(kept)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
