"""Tests of the shape of the code: sizes, names, docstrings, and nothing of one machine."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import LONGEST

REPO_ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("services", "shared", "ops", "tests")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "engine", "misc"}

# Parts are joined so that this file does not find itself.
_MACHINE = ("work", "root", "tmp/w", "Users/[A-Za-z]+")
MACHINE_PATH = re.compile(rf"(?<![\w.$}}])/(?:{'|'.join(_MACHINE)})/")
_REGISTRIES = ("pypi" + r"\.org", "files" + r"\.pythonhosted\.org", "registry" + r"\.npmjs\.org")
REGISTRY = re.compile("|".join(_REGISTRIES) + "|--(extra-)?index" + "-url|--find" + "-links")


def tracked_files() -> list[Path]:
    """Return the files that git tracks or would track, as they are on the disk."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO_ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = (REPO_ROOT / name for name in listed.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def modules() -> list[Path]:
    """Return our Python files."""
    return [
        path
        for path in tracked_files()
        if path.suffix == ".py" and path.relative_to(REPO_ROOT).parts[0] in PACKAGES
    ]


def name(path: Path) -> str:
    return path.relative_to(REPO_ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def text_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []  # an image or another binary


def findings(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name(path)}:{number}: {line.strip()[:120]}"
        for path in tracked_files()
        for number, line in enumerate(text_lines(path), start=1)
        if pattern.search(line)
    ]


def test_files_are_short() -> None:
    """No module has more than 500 lines."""
    assert [name(path) for path in modules() if len(text_lines(path)) > MAX_FILE_LINES] == []


def test_functions_are_short() -> None:
    """No function has more than 70 lines."""
    long = [
        f"{name(path)}:{function.lineno} {function.name}"
        for path in modules()
        for function in functions(ast.parse(path.read_text(encoding="utf-8"), name(path)))
        if (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_names_say_something() -> None:
    """No module or package has a name that could hold anything."""
    assert [name(path) for path in modules() if BANNED_NAMES & {path.stem, path.parent.name}] == []


def test_every_module_says_what_it_is() -> None:
    """Every module opens with a docstring."""
    silent = [
        name(path)
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"), name(path)))
    ]
    assert silent == []


def test_entry_points_are_thin() -> None:
    """A service's `__main__.py` has at most ten lines."""
    mains = [path for path in modules() if path.name == "__main__.py"]
    services = [path for path in mains if name(path).startswith("services/")]
    assert [name(path) for path in services if len(text_lines(path)) > 10] == []


def test_proto_is_not_a_package() -> None:
    """`proto/` holds no `__init__.py`: another distribution owns that import name."""
    assert not (REPO_ROOT / "proto" / "__init__.py").exists()


def test_the_longest_files_are_there() -> None:
    """What the suite begins with exists: a file that was renamed would come last unseen."""
    assert [name for name in LONGEST if not (REPO_ROOT / "tests" / name).exists()] == []


def test_nothing_belongs_to_one_machine() -> None:
    """No file holds a path of somebody's machine."""
    assert findings(MACHINE_PATH) == []


def test_no_registry_is_named() -> None:
    """No file names a package registry: where packages come from is the installer's setting."""
    assert findings(REGISTRY) == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [("see /" + "root/notes", True), ("shared/" + "work/flow", False), ("https://x/y", False)],
)
def test_machine_paths_are_recognised(text: str, is_found: bool) -> None:
    """A path from the root of a machine is found, a relative one or a URL is not."""
    assert bool(MACHINE_PATH.search(text)) is is_found
