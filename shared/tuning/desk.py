"""Proposals become versions of templates, and versions that are worse are taken back.

The law:

1. What is applied is one setting of one step, on top of the newest version as it is then; if that
   setting is no longer what the proposal says, it is refused.
2. A version is stored first, and only then the proposal says so. Who is cut off between finds the
   newest version as proposed, and goes on from there.
3. One change of a template is tried at a time: what comes of two could not be told apart.
4. A change that is worse is taken back by a further version with the old value. If somebody has
   made a newer version meanwhile, nothing is taken back: the trial is over.
5. A person may take a change back at any time, in its trial or after it, as long as the setting is
   what the change made of it. The setting is then pinned: no proposal changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.outcomes.changing import CannotChangeError, changed, setting_of
from shared.outcomes.experiments import floor_of, judge
from shared.outcomes.trials import VersionCounts
from shared.outcomes.views import ExperimentView, ProposalView, Status
from shared.ports.outcomes import OutcomeViews
from shared.ports.templates import PutOutcome, StoredTemplate, TemplateStore
from shared.templates.content import content_hash
from shared.workflow.definition import Template
from shared.workflow.errors import DefinitionError
from shared.workflow.program import CommandSignature, compile_template

TUNING: Final = "tuning"
"""Who stores versions that nobody asked for."""
_TRIES: Final = 5


class UnknownProposalError(Exception):
    """There is no such proposal."""


class NotNowError(Exception):
    """The proposal cannot be applied or dismissed as things stand; the message says why."""


class TuningDesk:
    """Applies, dismisses and judges."""

    def __init__(
        self,
        views: OutcomeViews,
        templates: TemplateStore,
        signatures: Mapping[str, CommandSignature],
    ) -> None:
        self._views = views
        self._templates = templates
        self._signatures = signatures

    async def apply(self, proposal_id: str, by: str, now_ms: int) -> ProposalView:
        """Make the version that is proposed, and try it. Raises `UnknownProposalError`,
        `NotNowError`."""
        proposal = await self._open(proposal_id)
        await self._only_one(proposal)
        stored = await self._templates.find(proposal.template_id)
        if stored is None:
            raise NotNowError(f"template {proposal.template_id!r} does not exist any more")
        now = setting_of(stored.template, proposal.step, proposal.setting)
        base = stored.template
        if now == proposal.proposed and stored.created_by == by:
            made = stored.template
        elif now == proposal.current:
            made = await self._store(stored.template, proposal, proposal.proposed, by, now_ms)
        else:
            raise NotNowError(
                f"{proposal.setting} of step {proposal.step!r} is {now!r} in version "
                f"{base.version}, not {proposal.current!r} any more: wait for the next proposal"
            )
        experiment = ExperimentView(
            base_version=proposal.version,
            version=made.version,
            floor=round(floor_of(proposal.base_runs, proposal.base_succeeded), 4),
            base_runs=proposal.base_runs,
            base_succeeded=proposal.base_succeeded,
            began_ms=now_ms,
        )
        return await self._to(proposal, "applied", now_ms, by=by, experiment=experiment)

    async def dismiss(self, proposal_id: str, by: str, reason: str, now_ms: int) -> ProposalView:
        """Say that it is not wanted; it is not proposed again for this version. Raises
        `UnknownProposalError`, `NotNowError`."""
        return await self._to(
            await self._open(proposal_id), "dismissed", now_ms, by=by, reason=reason
        )

    async def revert(self, proposal_id: str, by: str, reason: str, now_ms: int) -> ProposalView:
        """Take back a change that is tried or kept, by a version with the old value. Raises
        `UnknownProposalError`, `NotNowError`."""
        proposal = await self._found(proposal_id)
        if proposal.status not in ("applied", "kept") or proposal.experiment is None:
            raise NotNowError(
                f"proposal {proposal_id!r} is {proposal.status}: only what was applied can be "
                "taken back"
            )
        stored = await self._templates.find(proposal.template_id)
        if stored is None:
            raise NotNowError(f"template {proposal.template_id!r} does not exist any more")
        made = stored.template
        setting = setting_of(made, proposal.step, proposal.setting)
        if setting == proposal.proposed:
            made = await self._store(made, proposal, proposal.current, by, now_ms)
        elif setting != proposal.current:
            raise NotNowError(
                f"{proposal.setting} of step {proposal.step!r} is {setting!r} in version "
                f"{made.version}, not {proposal.proposed!r} any more: edit the template instead"
            )
        ended = {"ended_ms": now_ms, "reverted_by": made.version}
        experiment = proposal.experiment.model_copy(update=ended)
        fields = {"by": by, "reason": reason, "pinned": True, "experiment": experiment}
        return await self._to(proposal, "reverted", now_ms, **fields)

    async def look(
        self, proposal: ProposalView, counts: VersionCounts, now_ms: int
    ) -> ProposalView:
        """An experiment, judged by the runs of its version so far; what is worse is taken back."""
        experiment = proposal.experiment
        if proposal.status != "applied" or experiment is None:
            return proposal
        judged = judge(experiment.floor, counts.runs, counts.succeeded)
        seen = experiment.model_copy(
            update={
                "runs": judged.runs,
                "succeeded": judged.succeeded,
                "verdict": judged.verdict,
                "p_worse": round(judged.p_worse, 4),
            }
        )
        if judged.verdict == "worse":
            return await self._take_back(proposal, seen, now_ms)
        if judged.verdict == "kept":
            ended = seen.model_copy(update={"ended_ms": now_ms})
            return await self._to(proposal, "kept", now_ms, experiment=ended)
        if seen == experiment:
            return proposal
        return await self._to(proposal, "applied", proposal.at_ms, experiment=seen)

    async def _take_back(
        self, proposal: ProposalView, seen: ExperimentView, now_ms: int
    ) -> ProposalView:
        stored = await self._templates.find(proposal.template_id)
        ended = seen.model_copy(update={"ended_ms": now_ms})
        if stored is None:
            return await self._to(proposal, "reverted", now_ms, experiment=ended)
        newest = stored.template
        setting = setting_of(newest, proposal.step, proposal.setting)
        if setting == proposal.current:
            version = newest.version
        elif newest.version == seen.version:
            made = await self._store(newest, proposal, proposal.current, TUNING, now_ms)
            version = made.version
        else:
            reason = f"worse, but version {newest.version} has taken its place"
            return await self._to(proposal, "kept", now_ms, experiment=ended, reason=reason)
        ended = ended.model_copy(update={"reverted_by": version})
        return await self._to(proposal, "reverted", now_ms, experiment=ended)

    async def _store(
        self, newest: Template, proposal: ProposalView, value: float | int | str, by: str, at: int
    ) -> Template:
        """The newest version with the setting at `value`, stored as the next one."""
        for _ in range(_TRIES):
            known = await self._templates.versions(newest.id)
            versions = {one.template.version for one in known}
            try:
                made = changed(newest, proposal.step, proposal.setting, value, versions)
                compile_template(made, self._signatures)
            except (CannotChangeError, DefinitionError) as error:
                raise NotNowError(str(error)) from error
            stored = StoredTemplate(made, content_hash(made), at, by)
            if await self._templates.put(stored) is not PutOutcome.CONFLICT:
                return made
        raise NotNowError(f"template {newest.id!r} changes all the time; try again")

    async def _found(self, proposal_id: str) -> ProposalView:
        found = await self._views.get(ProposalView, proposal_id)
        if found is None:
            raise UnknownProposalError(proposal_id)
        return found

    async def _open(self, proposal_id: str) -> ProposalView:
        found = await self._found(proposal_id)
        if found.status != "open":
            raise NotNowError(f"proposal {proposal_id!r} is {found.status}, not open")
        return found

    async def _only_one(self, proposal: ProposalView) -> None:
        for one in await self._views.page(ProposalView, group="applied", limit=1_000):
            if one.template_id == proposal.template_id:
                raise NotNowError(
                    f"{one.id!r} is being tried; one change of a template is tried at a time"
                )

    async def _to(
        self, proposal: ProposalView, status: Status, at_ms: int, **fields: object
    ) -> ProposalView:
        made = proposal.model_copy(update={"status": status, "at_ms": at_ms, **fields})
        if not await self._views.change(made, proposal.status):
            raise NotNowError(f"proposal {proposal.id!r} was changed by somebody else; look again")
        return made
