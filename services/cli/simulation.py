"""`hv sim`: the production engine in seeded worlds where everything goes wrong."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.stack.layout import REPO_ROOT

MODULE = "tests.simulation.system"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(sim)


def sim(
    seeds: Annotated[int, typer.Option(min=1, help="How many worlds.")] = 200,
    start: Annotated[int, typer.Option(min=0, help="The seed of the first one.")] = 0,
    mutation: Annotated[
        str, typer.Option(help="Break the engine in this way; 'list' says which there are.")
    ] = "",
    rollbacks: Annotated[
        bool, typer.Option("--rollbacks", help="Worlds whose executions are rolled back.")
    ] = False,
    first: Annotated[bool, typer.Option("--first", help="Stop at the first failure.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Run the production engine in simulated worlds; 0 if no invariant was violated in any.

    Coordinators and runners over servers, networks, clocks and people that follow from a seed: with
    crashes between any two effects, lost leases, outages. A world that fails is run again by the
    command that is printed.
    """
    if not is_there(REPO_ROOT):
        typer.echo("hv sim needs a checkout of the repository: tests/ is not here", err=True)
        raise typer.Exit(2)
    command = [sys.executable, "-m", MODULE, "--seeds", str(seeds), "--start", str(start)]
    if mutation:
        command += ["--mutation", mutation]
    command += ["--rollbacks"] * rollbacks + ["--first"] * first + ["--json"] * as_json
    done = subprocess.run(command, cwd=REPO_ROOT, env=_environment(), check=False)
    raise typer.Exit(done.returncode)


def is_there(root: Path) -> bool:
    """Whether the simulation, which is a part of the tests, is installed."""
    return (root / Path(*MODULE.split("."))).is_dir()


def _environment() -> dict[str, str]:
    """Sets are walked in the same order each time, so that a seed is the same world each time."""
    path = os.pathsep.join(filter(None, [str(REPO_ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
