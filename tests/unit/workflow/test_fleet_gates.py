"""Gates of fleets: before all of it, after its canary, between its batches."""

from __future__ import annotations

from typing import Any, ClassVar

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.decide import decide
from shared.workflow.evolve import evolve
from tests.unit.workflow.fleet_runs import FIVE, WEB, begun, fleet
from tests.unit.workflow.scenario import step


class TestGates:
    ROLLING: ClassVar[dict[str, Any]] = {"strategy": "rolling", "canary": 1, "batch": 2}

    def test_the_gate_before_a_fleet_is_about_its_targets(self) -> None:
        """A step's own gate asks when the targets are known, and binds all of them."""
        run = fleet(step_fields={"approval": {}})
        assert run.state.gates == {}
        run.target("s", "a", "b")
        assert run.status == "waiting"
        gate = run.gate("s")
        assert (gate.targets, begun(run)) == (("a", "b"), [])
        run.vote("alice", "s")
        assert begun(run) == ["a", "b"]

    def test_other_targets_have_another_hash(self) -> None:
        """What is approved for some targets is not approved for others."""
        hashes = []
        for names in (("a",), ("a", "b")):
            run = fleet(step_fields={"approval": {}})
            run.target("s", *names)
            hashes.append(run.gate("s").subject_hash)
        assert hashes[0] != hashes[1]

    def test_a_gate_after_the_canary(self) -> None:
        """People look at the canary, and approve the next batch; the ones after it need nobody."""
        run = fleet(*FIVE, **self.ROLLING, approve_after_canary={})
        run.succeed("s[0]")
        assert run.gate("s.batch_2").targets == ("b", "c")
        assert begun(run) == ["a"]
        run.vote("alice", "s.batch_2")
        assert begun(run) == ["a", "b", "c"]
        run.succeed("s[1]")
        run.succeed("s[2]")
        assert len(begun(run)) == 5

    def test_a_gate_before_every_batch(self) -> None:
        """Each batch but the first is approved for itself, after its pause."""
        run = fleet(*FIVE[:3], strategy="rolling", approve_between={}, pause_between_s=5)
        run.succeed("s[0]")
        assert "s.batch_2" not in run.state.gates
        run.fire("batch-s")
        assert run.status == "waiting"
        run.vote("alice", "s.batch_2")
        run.succeed("s[1]")
        run.fire("batch-s")
        assert run.gate("s.batch_3").targets == ("c",)

    def test_a_rejected_batch_stops_the_fleet(self) -> None:
        """A no between batches stops the rest; what ran stays as it was."""
        run = fleet(*FIVE, **self.ROLLING, approve_between={})
        run.succeed("s[0]")
        run.vote("alice", "s.batch_2", approved=False, comment="looks wrong")
        whole = run.step("s")
        assert whole.failure is not None
        assert whole.failure.code == "approval_rejected"
        assert whole.failure.message == "rejected by alice: looks wrong"
        assert whole.output["completed"] == 1
        assert begun(run, "skipped") == ["b", "c", "d", "e"]
        assert run.status == "failed"

    def test_a_rejected_fleet_never_begins(self) -> None:
        """A no before the first batch ends the step with everything skipped."""
        run = fleet(step_fields={"approval": {}, "continue_on_failure": True})
        run.target("s", "a", "b")
        run.vote("alice", "s", approved=False)
        assert begun(run, "skipped") == ["a", "b"]
        assert run.statuses["s"] == "failed"
        run.succeed("end")
        assert run.status == "completed_with_errors"

    def test_approved_during_a_pause(self) -> None:
        """What is approved while the execution is paused begins when it is resumed."""
        run = fleet("a", "b", "c", strategy="rolling", batch=2, step_fields={"approval": {}})
        run.pause()
        run.vote("alice", "s")
        assert begun(run) == []
        run.resume()
        assert begun(run) == ["a", "b"]
        gate = run.gate("s")
        assert (gate.round, gate.status.value) == (1, "granted")

    def test_a_target_less_voids_the_approval(self) -> None:
        """Where a target was ended by hand before it began, what was approved with it is void, and
        people are asked about those that are left."""
        run = fleet(step_fields={"approval": {}})
        run.target("s", "a", "b")
        run.pause()
        run.vote("alice", "s")
        ended = evolve(run.state, ev.StepCancelled(step="s[1]", attempt=0), run.now)
        resumed = msg.Entry(execution_id="x1", seq=9, at_ms=run.now, message=msg.ResumeRequested())
        state = decide(run.program, ended, resumed).state
        assert state is not None
        assert (state.gates["s"].round, state.gates["s"].targets) == (2, ("a",))
        assert state.steps["s[0]"].status.value == "pending"

    def test_changed_commands_void_the_gate(self) -> None:
        """What else would run on the targets must be approved anew."""
        run = fleet("a", "b", strategy="rolling", approve_between={})
        run.succeed("s[0]")
        target = {"where": WEB, "strategy": "rolling", "approve_between": {}}
        run.change(step("s", target=target, parameters={"other": 1}), step("end", "s"))
        run.vote("alice", "s.batch_2")
        assert begun(run) == ["a"]
        assert run.gate("s.batch_2").round == 2
        run.vote("alice", "s.batch_2")
        assert begun(run) == ["a", "b"]

    def test_a_cancel_closes_the_gate(self) -> None:
        """An execution that is cancelled between batches asks nobody any more."""
        run = fleet("a", "b", strategy="rolling", approve_between={})
        run.succeed("s[0]")
        run.cancel()
        assert run.gate("s.batch_2").status.value == "voided"
        assert run.status == "cancelled"
