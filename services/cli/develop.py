"""`hv test`, `check`, `lock`, `proto`: what a developer of this repository types."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from ops.stack.layout import REPO_ROOT

LOCKS: tuple[tuple[str, str], ...] = (
    ("requirements.in", "requirements.lock"),
    ("requirements-dev.in", "requirements-dev.lock"),
)
WITHOUT_DEPENDENCIES: tuple[str, str] = ("requirements-text.in", "requirements-text.lock")
"""A wheel of which only the data are used."""

_COMPILE = (
    "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-emit-index-url", "--universal",
    "--no-strip-extras",
    "--python-version", "3.11", "--custom-compile-command", "./hv lock",
)  # fmt: skip
_PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@dataclass(frozen=True, slots=True)
class Check:
    """One named check: arguments to Python, run in the repository; exit code 0 passes."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a check went, and what it said if it failed."""

    name: str
    passed: bool
    took_s: float
    said: str

    def tell(self) -> None:
        """Print it."""
        word = "passed" if self.passed else "failed"
        typer.echo(f"{self.name:<8} {word:<6} {self.took_s:6.1f} s")
        if self.said:
            typer.echo(self.said)


COVERAGE: tuple[str, ...] = (
    "-m",
    "pytest",
    "-q",
    "-n",
    "2",
    "--cov=shared.workflow",
    "--cov=shared.automation",
)
"""Fails where a branch of the pure core is not taken; what and how much: pyproject.toml."""

CORE_TESTS: tuple[str, ...] = (
    *("tests/unit/workflow", "tests/unit/automation", "tests/simulation"),
    "--ignore=tests/simulation/system",  # it runs in processes of its own
)

CHECKS: tuple[Check, ...] = (
    Check("lint", ("-m", "ruff", "check", "--quiet", ".")),
    Check("format", ("-m", "ruff", "format", "--check", "--quiet", ".")),
    Check("types", ("-m", "mypy", "--no-error-summary")),
    Check("layers", ("-c", "from importlinter.cli import lint_imports_command as run; run()")),
    Check("drift", ("-m", "services.cli.generated", "--check")),
    Check("tidy", ("-m", "pytest", "-q", "tests/architecture")),
    Check("coverage", (*COVERAGE, *CORE_TESTS)),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("test", context_settings=_PASS_THROUGH)(run_tests)
    app.command()(check)
    app.command()(lock)
    app.command()(proto)


DEFAULT_TESTS: tuple[str, ...] = (
    *("-q", "-n", "4", "--dist", "loadfile", "--no-loadscope-reorder", "--durations=15"),
    *("-m", "not long"),
)
"""By files in parallel, in the order of tests/conftest.py: most tests wait for servers, not for the
processor. (xdist's own order has the files with most tests first, and so the longest ones last.)"""

LONG_TESTS: tuple[str, ...] = (
    *("-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--durations=15"),
    *("-m", "long"),
)
"""Clusters and storms, each busy with the processor for minutes."""

SEARCH_TESTS: tuple[str, ...] = (
    *("-q", "-n", "2", "--durations=15"),
    *("-m", "hypothesis", "--hypothesis-profile=search"),
)
"""Properties only, with more examples than the suite has, and others each time."""


def run_tests(
    context: typer.Context,
    long: Annotated[bool, typer.Option("--long", help="Run those that take minutes.")] = False,
    search: Annotated[
        bool, typer.Option("--search", help="Look for examples that break a property.")
    ] = False,
) -> None:
    """Run the tests; arguments go to pytest (for example: hv test -m kill -x).

    Without arguments everything runs but what takes minutes, which `--long` runs.
    """
    suite = SEARCH_TESTS if search else LONG_TESTS if long else DEFAULT_TESTS
    raise typer.Exit(_run_module("pytest", *(context.args or suite)))


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Run every check, even after one failed: lint, format, types, layers, drift, tidy, and
    that the tests of the core take each of its branches.
    """
    verdicts = []
    for one in CHECKS:
        verdicts.append(_verdict(one))
        if not as_json:
            verdicts[-1].tell()
    failed = [one.name for one in verdicts if not one.passed]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in verdicts], indent=2))
    else:
        typer.echo(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    raise typer.Exit(bool(failed))


def lock() -> None:
    """Compile requirements*.in to requirements*.lock, keeping versions that still fit."""
    for source, target in (*LOCKS, WITHOUT_DEPENDENCIES):
        command = [*_COMPILE, source, "--output-file", target]
        if (source, target) == WITHOUT_DEPENDENCIES:
            command += ["--no-deps", "--constraints", LOCKS[1][1]]
        elif target != LOCKS[0][1]:
            command += ["--constraints", LOCKS[0][1]]
        code = _run_module(*command)
        if code:
            raise typer.Exit(code)
        typer.echo(f"{target} is up to date with {source}")


def proto(
    freeze: Annotated[
        str, typer.Option(help="Keep today's golden samples as those of a release, such as v2.")
    ] = "",
) -> None:
    """Write what is generated from the code: proto/, the metrics page, dashboard, nats.conf."""
    from services.cli import generated
    from shared.contracts import generate

    for path in generated.write():
        typer.echo(f"wrote {path}")
    if freeze:
        try:
            typer.echo(f"kept {generate.freeze(REPO_ROOT, freeze)} samples as {freeze}")
        except (FileExistsError, ValueError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error


def _verdict(one: Check) -> Verdict:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *one.arguments],
        cwd=REPO_ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    took_s = round(time.monotonic() - started, 1)
    said = done.stdout + done.stderr if done.returncode else ""
    return Verdict(one.name, done.returncode == 0, took_s, said)


def _run_module(*arguments: str) -> int:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=REPO_ROOT, env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(REPO_ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}
