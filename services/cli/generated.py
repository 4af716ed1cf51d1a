"""`hv proto`, and the check that nobody forgot it: files that are written from the code.

`python -m services.cli.generated --check` compares instead of writing; exit code 1 when a file
differs, is missing, or belongs to nothing any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from ops.grafana import dashboard
from ops.nats import config as nats_config
from ops.stack.layout import REPO_ROOT
from services.cli import reference as cli_reference
from shared.commands import reference as command_reference
from shared.contracts import generate
from shared.runtime import metrics_reference
from shared.validation import reference as rule_reference

Files = dict[PurePosixPath, str]

GENERATORS: Final[tuple[Callable[[], Files], ...]] = (
    generate.files,
    metrics_reference.files,
    command_reference.files,
    dashboard.files,
    nats_config.files,
    cli_reference.files,
    rule_reference.files,
)
OWNED: Final = (generate.SCHEMAS, generate.CURRENT, rule_reference.FOLDER)
"""Folders that hold generated files and nothing else."""


def wanted() -> Files:
    """Every generated file by its path in the repository."""
    return {path: text for files in GENERATORS for path, text in files().items()}


def drift(root: Path = REPO_ROOT) -> list[PurePosixPath]:
    """The files that are not as they should be, sorted."""
    files = wanted()
    differs = {path for path, text in files.items() if _read(root / path) != text}
    return sorted(differs | set(_strays(root, files)))


def write(root: Path = REPO_ROOT) -> list[PurePosixPath]:
    """Make every generated file as it should be; return those that were changed."""
    files, changed = wanted(), drift(root)
    for path in changed:
        target = root / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path], encoding="utf-8")
        else:
            target.unlink()
    return changed


def _strays(root: Path, files: Files) -> Iterator[PurePosixPath]:
    for folder in OWNED:
        for path in (root / folder).rglob("*"):
            name = PurePosixPath(path.relative_to(root).as_posix())
            if path.is_file() and name not in files:
                yield name


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; say which files it is about."""
    checking = arguments == ["--check"]
    paths = drift() if checking else write()
    for path in paths:
        sys.stdout.write(f"{'out of date: ' if checking else ''}{path}\n")
    if checking and paths:
        sys.stdout.write("Run ./hv proto and commit what it writes.\n")
    return int(checking and bool(paths))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
