"""The documentation holds together: links lead somewhere, and what can be set or typed is told."""

import re
from pathlib import Path

import pytest

from services.cli.commands import MODULES
from services.cli.reference import PAGE, render
from tests.architecture.test_tidy import REPO_ROOT, modules, name, tracked_files

PAGES = [path for path in tracked_files() if path.suffix == ".md"]
SETTINGS = (REPO_ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
CODE = re.compile(r"```.*?```", re.DOTALL)
VARIABLE = re.compile(r"\bHIVE_[A-Z][A-Z_]*[A-Z]\b")
SETTERS = ("hv", "docker-compose.yml", "ops/docker/Dockerfile")


def anchors(page: Path) -> set[str]:
    """What `#…` of a page can lead to, as hosts of Markdown make it from the headings."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    titles = (match["text"].lower() for match in HEADING.finditer(text))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def leads_nowhere(page: Path, target: str) -> bool:
    """Whether a link within the repository is dead."""
    if re.match(r"[a-z]+:", target):
        return False
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    return not there.exists() or (bool(anchor) and anchor not in anchors(there))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file or a heading of this repository has its target."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    targets = [match["target"] for match in LINK.finditer(text)]
    assert [target for target in targets if leads_nowhere(page, target)] == []


def test_dead_links_are_found() -> None:
    """A missing file and a missing heading are both seen."""
    readme = REPO_ROOT / "README.md"
    assert leads_nowhere(readme, "docs/absent.md")
    assert leads_nowhere(readme, "docs/ARCHITECTURE.md#absent")
    assert not leads_nowhere(readme, "docs/ARCHITECTURE.md#the-flow")


def test_every_variable_is_told() -> None:
    """What the code, the image or Compose reads from the environment is on the settings page."""
    sources = [path for path in modules() if not name(path).startswith("tests/")]
    sources += [REPO_ROOT / one for one in SETTERS]
    read = {one for path in sources for one in VARIABLE.findall(path.read_text(encoding="utf-8"))}
    assert {one for one in read if f"`{one}`" not in SETTINGS} == set()


def test_every_page_is_reachable() -> None:
    """From README each page under docs/ can be reached by links."""
    seen, left = set[Path](), [REPO_ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = (match["target"] for match in LINK.finditer(page.read_text(encoding="utf-8")))
        paths = ((page.parent / one.partition("#")[0]).resolve() for one in targets)
        left += [path for path in paths if path.exists()]
    hidden = {name(page) for page in PAGES if page not in seen and name(page).startswith("docs/")}
    assert hidden == set()


def test_the_page_of_commands_is_current() -> None:
    """docs/reference/hv.md is written from the commands."""
    assert (REPO_ROOT / PAGE).read_text(encoding="utf-8") == render()


def test_every_command_is_explained() -> None:
    """The page about the command line names each command."""
    page = (REPO_ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z]+(?:-[a-z]+)*", " ".join(re.findall(r"`[^`]+`", page))))
    assert {one for module in MODULES for one in module.commands} - words == set()
