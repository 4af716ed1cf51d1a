"""The laws that every fold keeps (shared/learning/fold.py), as a suite that each is run through.

class TestMine(FoldLaws):
    def make(self) -> Fold:
        return MyFold()
"""

import random
from collections.abc import Iterable, Sequence

import pytest

from shared.learning.fold import Fold
from shared.learning.records import (
    AnyRecord,
    Feedback,
    Forget,
    RecordedCommand,
    RunAttempt,
    RunRecord,
    RunStep,
)

Places = Sequence[tuple[int, AnyRecord]]

USERS = ("ann", "bob", "eve")
LINES = ("git pull", "make test", "make deploy", "tail -n 20 app.log", "ssh root@10.0.0.7")


def a_record(seed: int, count: int = 60) -> Places:
    """Items of all kinds but orders to forget, at rising places with gaps."""
    draw = random.Random(seed)
    makers = (_command, _command, _run, _feedback)
    place, made = 0, []
    for number in range(count):
        place += draw.choice([1, 1, 2, 9])
        made.append((place, draw.choice(makers)(draw, number)))
    return made


def _command(draw: random.Random, number: int) -> AnyRecord:
    return RecordedCommand(
        id=f"c{number}",
        at_ms=1_000 * number,
        user=draw.choice(USERS),
        command=draw.choice(LINES),
        session=f"s{number // 10}",
        cwd=draw.choice(["", "/srv/app"]),
        exit=draw.choice([None, 0, 0, 1]),
        duration_ms=draw.choice([None, 40, 9_000]),
        source=draw.choice(["shell", "agent", "step"]),
    )


def _run(draw: random.Random, number: int) -> AnyRecord:
    failed = draw.random() < 0.3
    started = 1_000 * number
    attempts = tuple(
        RunAttempt(
            step=step,
            command="shell",
            agent=draw.choice(["agent-a", "agent-b"]),
            started_at_ms=started + 10 * place,
            ended_at_ms=started + 10 * place + draw.choice([5, 90, 4_000]),
            outcome="failed" if failed and step == "check" else "completed",
            code="command_failed" if failed and step == "check" else "",
            message=f"connection to 10.0.0.{number % 7} refused" if failed else "",
        )
        for place, step in enumerate(("fetch", "check"))
    )
    return RunRecord(
        id=f"r{number}",
        at_ms=started + 5_000,
        template_id=draw.choice(["rollout", "incident"]),
        template_version="1.0.0",
        category=draw.choice(["incident_response", "maintenance"]),
        status="failed" if failed else "completed",
        by=draw.choice(USERS),
        cause="user",
        created_at_ms=started,
        started_at_ms=started,
        parameters={"service": draw.choice(["api", "db"]), "replicas": draw.randrange(4)},
        steps=tuple(
            RunStep(step=each.step, command=each.command, status=each.outcome, attempts=1)
            for each in attempts
        ),
        attempts=attempts,
        failed_step="check" if failed else "",
        failure_code="command_failed" if failed else "",
        failure_message=f"connection to 10.0.0.{number % 7} refused" if failed else "",
    )


def _feedback(draw: random.Random, number: int) -> AnyRecord:
    return Feedback(
        id=f"f{number}",
        at_ms=1_000 * number,
        user=draw.choice(USERS),
        suggestion_id=f"sug{number}",
        verdict=draw.choice(["accepted", "dismissed", "edited"]),
        kind=draw.choice(["workflow", "command"]),
        suggested=draw.choice(["rollout", "incident", *LINES]),
        text=draw.choice(["", "the api answers with 502 since the last rollout"]),
    )


def fold_in(fold: Fold, items: Iterable[tuple[int, AnyRecord]]) -> Fold:
    """`fold`, with all items applied."""
    for place, item in items:
        fold.apply(item, place)
    return fold


def without(items: Places, order: Forget) -> Places:
    """What the record keeps after `order`: no command and feedback that it names."""
    return [each for each in items if not order.means(each[1])]


ORDERS = (
    Forget(id="x1", at_ms=1, by="ann", user="ann"),
    Forget(id="x2", at_ms=1, by="ann", user="ann", command=LINES[0]),
    Forget(id="x3", at_ms=1, by="admin", command=LINES[1]),
)


class FoldLaws:
    """Derive, and give `make`. `record` may give what the fold feeds on instead."""

    def make(self) -> Fold:
        """A new fold that has seen nothing."""
        raise NotImplementedError

    def record(self, seed: int) -> Places:
        """Items in their order."""
        return a_record(seed)

    @pytest.mark.parametrize("seed", [1, 2])
    def test_the_same_record_gives_the_same_bytes(self, seed: int) -> None:
        """Two folds over the same items save the same; saving changes nothing."""
        one, other = fold_in(self.make(), self.record(seed)), self.make()
        for place, item in self.record(seed):
            other.apply(item, place)
            other.save()
        assert one.save() == other.save()

    @pytest.mark.parametrize("seed", [1, 2])
    def test_what_is_saved_and_loaded_goes_on_as_the_original(self, seed: int) -> None:
        """Saved and loaded at any point, a fold ends with the bytes of one that never was."""
        items = self.record(seed)
        whole = fold_in(self.make(), items).save()
        going, begun = self.make(), 0
        for cut in sorted({0, 1, len(items) // 3, len(items) // 2, len(items) - 1, len(items)}):
            fold_in(going, items[begun:cut])
            saved = going.save()
            going, begun = self.make(), cut
            going.load(saved)
            assert going.save() == saved
        fold_in(going, items[begun:])
        assert going.save() == whole

    @pytest.mark.parametrize("seed", [1, 2])
    @pytest.mark.parametrize("order", ORDERS, ids=lambda each: each.id)
    def test_forgetting_is_exact_or_refused(self, seed: int, order: Forget) -> None:
        """What has forgotten is as if it had never seen it, now and later; else it says False."""
        items = self.record(seed)
        half = len(items) // 2
        fold = fold_in(self.make(), items[:half])
        if fold.forget(order):
            never = fold_in(self.make(), without(items[:half], order))
            assert fold.save() == never.save()
            assert fold_in(fold, items[half:]).save() == fold_in(never, items[half:]).save()

    @pytest.mark.parametrize("data", [b"", b"nonsense", b"{}", b"[]", b"\x00\xff"])
    def test_what_no_fold_saved_is_refused(self, data: bytes) -> None:
        """Bytes that are no snapshot are a ValueError, and nothing else."""
        with pytest.raises(ValueError):
            self.make().load(data)

    def test_half_a_snapshot_is_refused(self) -> None:
        """A snapshot that was cut off is a ValueError."""
        saved = fold_in(self.make(), self.record(1)).save()
        with pytest.raises(ValueError):
            self.make().load(saved[: len(saved) // 2])

    def test_it_has_a_name_and_a_version(self) -> None:
        """They name its snapshots."""
        fold = self.make()
        assert fold.name == fold.name.lower()
        assert fold.name.replace("-", "").isalnum()
        assert fold.version >= 1
