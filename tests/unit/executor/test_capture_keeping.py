"""What was kept before steps goes when its time is over, and not before."""

from typing import Any

from shared.contracts.captures import Content, FileItem, Manifest, OwnPath
from shared.contracts.history import StoredState
from shared.ports.captures import DAY_MS, CapturesUnavailableError, CaptureUsage, blob_name
from shared.ports.store import StateWrite
from shared.workflow.identity import time_sorted_id
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.state import ExecutionState
from tests.unit.executor.test_housekeeping import HOUR_MS, House


async def _keep(house: House, execution_id: str, data: bytes = b"") -> str:
    """Something that was kept before a step of an execution; gives the name of its blob."""
    name = blob_name(data, house.clock.now_ms())
    await house.captures.put_blob(name, data)
    item = FileItem(path=OwnPath.of(b"/f"), was="file", content=Content(blob=name))
    manifest = Manifest(
        execution_id=execution_id,
        step="s",
        agent="a",
        host="h",
        template_id="t",
        command="file",
        attempt=1,
        at_ms=house.clock.now_ms(),
        items=(item,),
    )
    await house.captures.create(manifest)
    return name


def _id(house: House, ago_ms: int, number: int = 0) -> str:
    """The id of an execution that was made so long ago."""
    return time_sorted_id("ex", house.clock.now_ms() - ago_ms, number)


async def _running(house: House, execution_id: str) -> None:
    state = ExecutionState(
        execution_id=execution_id,
        template_id="t",
        template_version="1.0.0",
        category="custom",
        status=ExecutionStatus.RUNNING,
    )
    stored = StoredState(partition=0, seq=1, state=state)
    await house.store.write([StateWrite(stored, ())])


async def test_it_goes_days_after_the_end() -> None:
    """Three days after its end here, in the live store or in the archive; what runs keeps it for as
    long as it runs."""
    house = House()
    ended, runs = _id(house, HOUR_MS), _id(house, HOUR_MS, 1)
    await house.ended(ended, 0)
    await _running(house, runs)
    blob = await _keep(house, ended, b"x")
    await _keep(house, runs)
    house.clock.advance(2 * DAY_MS)
    await house.keeper.round()
    assert house.archived == [ended]
    assert set(await house.captures.executions()) == {ended, runs}
    house.clock.advance(DAY_MS)
    await house.keeper.round()
    assert set(await house.captures.executions()) == {runs}
    assert house.sample("hive_captures_forgotten_total") == 1
    assert blob not in house.captures._blobs


async def test_it_goes_with_its_execution() -> None:
    """What is deleted for good takes along what was kept for it."""
    house = House()
    await house.template("t", keep_days=1, archive_days=1)
    gone = _id(house, HOUR_MS)
    await house.ended(gone, 0)
    await _keep(house, gone)
    house.clock.advance(DAY_MS + 1)
    for _ in range(2):
        await house.keeper.round()
    assert house.archived == []
    assert await house.captures.executions() == set()


async def test_what_nobody_knows() -> None:
    """An execution that is not stored yet keeps it; one that is gone for days does not."""
    house = House()
    new, lost = _id(house, HOUR_MS // 2), _id(house, 4 * DAY_MS)
    await _keep(house, new)
    await _keep(house, lost)
    await house.keeper.round()
    assert set(await house.captures.executions()) == {new}


async def test_how_full_it_is_is_told() -> None:
    """The gauges have what is stored and what may be, and nothing where another one keeps house."""
    house = House()
    await _keep(house, _id(house, 0), b"x" * 500)

    def bytes_of(part: str) -> Any:
        return house.registry.get_sample_value("hive_capture_store_bytes", {"part": part})

    await house.keeper.round()
    assert bytes_of("contents") == 500
    assert bytes_of("manifests") > 100
    limit = house.registry.get_sample_value("hive_capture_store_limit_bytes", {"part": "contents"})
    assert limit == (await house.captures.usage()).blob_limit_bytes
    house.keeper._meter.elsewhere()
    assert bytes_of("contents") == 0


async def test_an_outage_delays_it() -> None:
    """Without the store of captures the rest of the house is kept, and this later."""
    house = House()
    old = _id(house, 4 * DAY_MS)
    await house.ended(old, 3 * DAY_MS + 1)
    await _keep(house, old)
    usage = house.captures.usage

    async def away() -> CaptureUsage:
        raise CapturesUnavailableError("captures cannot be reached now")

    house.captures.usage = away  # type: ignore[method-assign]
    await house.keeper.round()
    assert house.archived == [old]
    assert house.sample("hive_housekeeping_round_timestamp_seconds")
    house.captures.usage = usage  # type: ignore[method-assign]
    await house.keeper.round()
    assert await house.captures.executions() == set()
