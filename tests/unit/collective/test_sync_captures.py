"""A bundle that a step changes goes back to the version that was current before it."""

from typing import Any

from services.executor.captures.taking import Taken
from services.executor.commands.base import Completed, Failed
from shared.contracts.captures import BundleItem
from shared.contracts.tasks import Task
from shared.ports.collective import HiveUnavailableError
from shared.workflow.captured import Captured
from shared.workflow.capturing import CaptureOrder
from tests.unit.collective.hive import LittleHive
from tests.unit.collective.test_sync import on_disk, pushing

RESTORE = {"execution_id": "ex_1", "step": "step"}


async def _take(hive: LittleHive, parameters: dict[str, Any]) -> Taken:
    task = Task(
        execution_id="ex_1",
        template_id="t",
        step="step",
        attempt=1,
        leg=0,
        command="hv-sync",
        parameters=parameters,
        timeout_s=5,
        capture=CaptureOrder(),
    )
    return await hive.taker.take(task, parameters, hive.context(), None)


async def test_the_version_before_is_current_again(hive: LittleHive) -> None:
    """Whatever was pushed since, every agent that had it gets it back."""
    await hive.join("a", "b")
    await hive.run("hv-sync", pushing("one"))
    taken = await _take(hive, pushing("two"))
    assert isinstance(taken, Captured)
    await hive.run("hv-sync", pushing("two"), attempt=2)
    await hive.run("hv-sync", pushing("three"), attempt=3)
    compared = await hive.run("restore", {**RESTORE, "operation": "compare"})
    assert isinstance(compared, Completed)
    assert compared.output["bundles"] == [
        {"bundle": "web", "version": 1, "current": 3, "restored": False, "problem": ""}
    ]
    assert await on_disk(hive, "b") == "three"
    restored = await hive.run("restore", RESTORE)
    assert isinstance(restored, Completed)
    assert (restored.output["restored"], restored.output["total"]) == (1, 1)
    assert [await on_disk(hive, name) for name in ("a", "b")] == ["one", "one"]


async def test_a_bundle_that_was_not_there(hive: LittleHive) -> None:
    """The agents that have it remove its files. Never pushed, there is nothing to do."""
    await hive.join("a")
    await _take(hive, pushing("one", agents=["a"]))
    manifest = await hive.taker.kept.find("ex_1", "step", "a")
    assert manifest is not None
    assert manifest.items == (BundleItem(bundle="web", version=None, agents=("a",)),)
    assert isinstance(await hive.run("restore", RESTORE), Completed)
    await hive.run("hv-sync", pushing("one"))
    assert await on_disk(hive, "a") == "one"
    for _ in range(2):
        restored = await hive.run("restore", RESTORE, attempt=2)
        assert isinstance(restored, Completed)
        assert not (hive.folder / "a" / "sync/web/etc/app.conf").exists()
    compared = await hive.run("restore", {**RESTORE, "operation": "compare"})
    assert isinstance(compared, Completed)
    assert compared.output["bundles"][0]["restored"]
    await hive.run("hv-sync", pushing("two"), attempt=3)
    assert await on_disk(hive, "a") == "two"


async def test_an_agent_that_keeps_the_files_is_told(hive: LittleHive) -> None:
    """A bundle is not gone before every agent that it was for has removed it."""
    await hive.join("a")
    await _take(hive, pushing("one", agents=["a"]))
    await hive.run("hv-sync", pushing("one", agents=["a"]))
    edited = hive.folder / "a" / "sync/web/etc/app.conf"
    edited.unlink()
    edited.mkdir()
    failed = await hive.run("restore", RESTORE)
    assert isinstance(failed, Failed)
    assert failed.code == "restore_incomplete"
    assert "not removed on: a" in failed.output["bundles"][0]["problem"]


async def test_a_version_that_is_not_kept_any_more(hive: LittleHive) -> None:
    """Of a bundle only the newest versions are kept: then it is told which is missing."""
    await hive.join("a")
    await hive.run("hv-sync", pushing("0"))
    await _take(hive, pushing("1"))
    for number in range(1, 25):
        await hive.run("hv-sync", pushing(str(number)), attempt=number + 1)
    failed = await hive.run("restore", RESTORE)
    assert isinstance(failed, Failed)
    assert "version 1 is not kept" in failed.output["bundles"][0]["problem"]


async def test_without_the_hive_nothing_begins(hive: LittleHive) -> None:
    """What cannot be looked at cannot be kept."""

    async def away(_name: str) -> None:
        raise HiveUnavailableError("bundles cannot be reached now")

    hive.port.bundles.get = away  # type: ignore[method-assign, assignment]
    failed = await _take(hive, pushing("one"))
    assert isinstance(failed, Failed)
    assert (failed.code, failed.retryable) == ("capture_failed", True)
