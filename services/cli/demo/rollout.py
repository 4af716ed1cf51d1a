"""A rollout that goes wrong and is undone, and the corrected one: the demo's third act.

A configuration goes to three hosts, canary first. The second host is too small for it, its site
says so, and the rollout stops; what was touched gets back what it had. Whether it did is read from
the disks, not from what the system says of itself.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ops.stack.layout import REPO_ROOT
from services.cli import rendering
from services.cli.advice import hv
from services.cli.client import Gateway
from services.cli.demo.picture import Row, picture
from services.cli.demo.sites import Print, Site, configuration, running_sites
from services.cli.demo.stage import Stage
from services.cli.outcome import CliError, ExitCode
from shared.contracts.api.executions import ExecutionView
from shared.contracts.api.rollbacks import RollbackView
from shared.contracts.api.targets import ExecutionTargets
from shared.templates.loader import load_file

TEMPLATES: Final = tuple(
    REPO_ROOT / "shared" / "templates" / "demo" / name
    for name in ("config_host.yaml", "config_rollout.yaml")
)
ROLLOUT: Final = "config_rollout"
TOO_MANY, ENOUGH = 32, 4
"""Workers of the configuration with the mistake, and of the corrected one."""
UNDONE_WITHIN_S: Final = 60.0
POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Act:
    """What came of it: both runs, what became of the rollback, whether the disks agree."""

    wrong: ExecutionView
    corrected: ExecutionView
    rollback: RollbackView
    restored: bool
    healthy: bool

    @property
    def as_promised(self) -> bool:
        """True when the first run was undone to the byte and the corrected one went through."""
        return (
            self.wrong.status == self.rollback.summary.status == "rolled_back"
            and self.restored
            and self.corrected.status == "completed"
            and self.healthy
        )


def play(stage: Stage, gateway: Gateway) -> Act:
    """Roll out what does not fit, see it undone, roll out what does. Raises `CliError`."""
    for path in TEMPLATES:
        gateway.store_template(load_file(path))
    with running_sites(stage.layout.root / "agents") as sites:
        before = {site.agent: site.now for site in sites}
        stage.say(f"\nThree sites run, one a host: {_listed(before)}.")
        content = configuration("2, with a mistake", TOO_MANY)
        wrong = stage.run(gateway, ROLLOUT, _parameters(sites, content))
        rollback = _undone(gateway, wrong.id)
        after = {site.agent: site.now for site in sites}
        targets = gateway.get(f"/api/v1/workflows/executions/{wrong.id}/targets", ExecutionTargets)
        if not stage.as_json:
            stage.console.print(picture(_rows(targets, before, after)))
        stage.say(_told(rollback))
        content = configuration("2, corrected", ENOUGH)
        corrected = stage.run(gateway, ROLLOUT, _parameters(sites, content))
        healthy = all(_health(site)["healthy"] for site in sites)
        wrong = gateway.execution(wrong.id)
    return Act(wrong, corrected, rollback, before == after, healthy)


def _parameters(sites: Sequence[Site], content: str) -> dict[str, Any]:
    where = {site.agent: {"path": str(site.config), "url": site.url} for site in sites}
    return {"content": content, "sites": where}


def _undone(gateway: Gateway, execution_id: str) -> RollbackView:
    """The rollback that began by itself, once it is over."""
    deadline = time.monotonic() + UNDONE_WITHIN_S
    path = f"/api/v1/rollbacks/{execution_id}"
    while time.monotonic() < deadline:
        try:
            found = gateway.get(path, RollbackView)
        except CliError as error:
            if error.status != 404:
                raise
        else:
            if found.summary.over:
                return found
        time.sleep(POLL_S)
    raise CliError(
        f"The rollback of {execution_id} is not over after {UNDONE_WITHIN_S:.0f} s; "
        f"`{hv(f'why {execution_id}')}` tells what it waits for.",
        ExitCode.FAILED,
    )


def _told(rollback: RollbackView) -> str:
    summary = rollback.summary
    took = rendering.duration(summary.ended_at_ms - summary.requested_at_ms)
    return (
        f"Undone by itself in {took}, by an execution of its own: {len(rollback.undone)} of "
        f"{summary.items} items ({hv(f'rollbacks show {summary.id}')})."
    )


def _rows(
    targets: ExecutionTargets, before: Mapping[str, Print], after: Mapping[str, Print]
) -> list[Row]:
    found = {one.target: one for fleet in targets.items for one in fleet.targets}
    rows = []
    for agent, print_ in before.items():
        one = found.get(agent)
        began = one is not None and one.started_at_ms > 0
        rows.append(
            Row(
                agent=agent,
                canary=one is not None and one.batch == 1,
                before=str(print_),
                status=one.status if one is not None and began else "",
                error=one.error if one is not None and began else "",
                after=str(after[agent]),
                same=print_ == after[agent],
            )
        )
    return rows


def _health(site: Site) -> dict[str, Any]:
    """What a site says of itself; an answer of 503 is an answer, too."""
    try:
        with urllib.request.urlopen(site.url, timeout=5) as answer:
            said: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        said = json.load(error)
    return said


def _listed(prints: Mapping[str, Print]) -> str:
    return ", ".join(f"{agent} with {print_}" for agent, print_ in prints.items())
