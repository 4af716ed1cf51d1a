"""The journal: every fact once, in order, to one reader at a time."""

import asyncio
from collections.abc import Sequence

from shared.contracts import subjects
from shared.ports.journal import RawEntry
from shared.workflow.messages import AttemptFinished
from tests.contract.bus.rig import BusRig, entries_of, lost_by, nothing_for
from tests.contract.bus.samples import EXECUTION, PARTITION, execution_in, reason_of, request


async def _append(rig: BusRig, *reasons: str, execution_id: str = EXECUTION) -> None:
    journal = rig.journal()
    for reason in reasons:
        assert await journal.append(execution_id, request(reason), f"{execution_id}.{reason}")


def _reasons(entries: Sequence[RawEntry]) -> list[str]:
    return [reason_of(entry.payload) for entry in entries]


class TestAppend:
    async def test_an_id_is_stored_once(self, rig: BusRig) -> None:
        """The second message of an id is dropped, whatever it says, and the caller is told."""
        journal = rig.journal()
        assert await journal.append(EXECUTION, request("first"), "same")
        assert not await journal.append(EXECUTION, request("second"), "same")
        assert await journal.append(EXECUTION, request("third"), "other")
        reader = rig.reader("one")
        await reader.open(PARTITION)
        assert _reasons(await entries_of(reader, 2)) == ["first", "third"]

    async def test_of_many_at_once_with_one_id_one_is_first(self, rig: BusRig) -> None:
        """Of racing appends of one id exactly one is told that it was the first."""
        journal = rig.journal()
        appends = [journal.append(EXECUTION, request(str(n)), "claim") for n in range(20)]
        assert sum(await asyncio.gather(*appends)) == 1

    async def test_what_was_appended_comes_back_whole(self, rig: BusRig) -> None:
        """Any JSON in an output survives: odd keys, NUL, large integers, null, type included."""
        output = {"a.b": 1, "$set": {"": None}, "nul": "a\x00b", "big": 10**30, "ü": ["\U0001f600"]}
        finished = AttemptFinished(step="a", attempt=1, outcome="succeeded", output=output)
        await rig.journal().append(EXECUTION, finished, "r.1")
        reader = rig.reader("one")
        await reader.open(PARTITION)
        [entry] = await entries_of(reader, 1)
        assert AttemptFinished.model_validate_json(entry.payload) == finished


class TestReading:
    async def test_the_old_comes_first_then_the_new(self, rig: BusRig) -> None:
        """A reader gets what is there, flagged as redelivered, then what comes, in order."""
        await _append(rig, "a", "b")
        reader = rig.reader("one")
        await reader.open(PARTITION)
        old = await entries_of(reader, 2)
        await _append(rig, "c", "d")
        new = await entries_of(reader, 2)
        assert _reasons([*old, *new]) == ["a", "b", "c", "d"]
        assert [entry.redelivered for entry in (*old, *new)] == [True, True, False, False]
        assert sorted({entry.seq for entry in (*old, *new)}) == [e.seq for e in (*old, *new)]
        assert {(e.partition, e.execution_id) for e in (*old, *new)} == {(PARTITION, EXECUTION)}
        assert all(abs(entry.at_ms - rig.now_ms()) < 60_000 for entry in old)

    async def test_take_gives_at_most_the_limit(self, rig: BusRig) -> None:
        """A limit cuts, and the rest comes with the next take."""
        await _append(rig, *"abcde")
        reader = rig.reader("one")
        await reader.open(PARTITION)
        found: list[str] = []
        while len(found) < 5:
            entries = (await reader.take(2)).entries
            assert len(entries) <= 2
            found += _reasons(entries)
        assert found == list("abcde")

    async def test_only_open_partitions_are_read(self, rig: BusRig) -> None:
        """Entries of other partitions, also of the same stream, do not come."""
        neighbour = PARTITION + subjects.JOURNAL_STREAMS
        await _append(rig, "other", execution_id=execution_in(neighbour))
        reader = rig.reader("one")
        await reader.open(PARTITION)
        await _append(rig, "mine")
        assert _reasons(await entries_of(reader, 1)) == ["mine"]
        assert await nothing_for(reader)

    async def test_several_partitions_come_each_in_order(self, rig: BusRig) -> None:
        """One reader of several partitions gets all of them, each in order."""
        partitions = [0, 1, PARTITION, 8]
        reader = rig.reader("one")
        for partition in partitions:
            await _append(rig, *"abc", execution_id=execution_in(partition))
            await reader.open(partition)
        entries = await entries_of(reader, 12)
        for partition in partitions:
            mine = [entry for entry in entries if entry.partition == partition]
            assert _reasons(mine) == list("abc")

    async def test_poison_passes_through_as_bytes(self, rig: BusRig) -> None:
        """What cannot be parsed is delivered as it came, and stops nothing."""
        for payload in (b"", b"\xff\x00{", b'{"type": "no_such"}'):
            await rig.put_raw(EXECUTION, payload)
        await _append(rig, "after")
        reader = rig.reader("one")
        await reader.open(PARTITION)
        *poison, last = await entries_of(reader, 4)
        assert [entry.payload for entry in poison] == [b"", b"\xff\x00{", b'{"type": "no_such"}']
        assert reason_of(last.payload) == "after"

    async def test_a_long_backlog_comes_whole_and_in_order(self, rig: BusRig) -> None:
        """More entries than may be under way at once arrive without a gap."""
        journal = rig.journal()
        count = 1_500
        await asyncio.gather(
            *(journal.append(EXECUTION, request(str(n)), f"m.{n}") for n in range(count))
        )
        reader = rig.reader("one")
        await reader.open(PARTITION)
        entries = await entries_of(reader, count)
        seqs = [entry.seq for entry in entries]
        assert seqs == sorted(set(seqs))
        assert {reason_of(entry.payload) for entry in entries} == {str(n) for n in range(count)}
        assert await nothing_for(reader)


class TestLastSeq:
    async def test_it_is_the_newest_entry_of_the_partition(self, rig: BusRig) -> None:
        """0 for an empty partition, then the sequence of its newest entry, not of the stream's."""
        reader = rig.reader("one")
        assert await reader.last_seq(PARTITION) == 0
        await _append(rig, "a", "b")
        await _append(rig, "x", execution_id=execution_in(PARTITION + subjects.JOURNAL_STREAMS))
        await reader.open(PARTITION)
        entries = await entries_of(reader, 2)
        assert await reader.last_seq(PARTITION) == entries[-1].seq


class TestAcknowledging:
    async def test_acknowledged_entries_are_not_delivered_again(self, rig: BusRig) -> None:
        """After an acknowledgement the next reader begins behind it."""
        await _append(rig, "a", "b", "c")
        first = rig.reader("one")
        await first.open(PARTITION)
        entries = await entries_of(first, 3)
        await first.acknowledge(PARTITION, entries[1].seq)
        await rig.settle()
        second = rig.reader("two")
        assert await second.open(PARTITION) == entries[1].seq
        await _append(rig, "d")
        again = await entries_of(second, 2)
        assert _reasons(again) == ["c", "d"]
        assert [entry.redelivered for entry in again] == [True, False]

    async def test_who_takes_over_learns_what_is_acknowledged(self, rig: BusRig) -> None:
        """Also when that is everything, so that nothing is delivered that would tell it."""
        await _append(rig, "a", "b")
        first = rig.reader("one")
        assert await first.open(PARTITION) == 0
        entries = await entries_of(first, 2)
        await first.acknowledge(PARTITION, entries[-1].seq)
        await rig.settle()
        second = rig.reader("two")
        assert await second.open(PARTITION) == entries[-1].seq == await second.last_seq(PARTITION)

    async def test_the_same_reader_may_close_and_open_again(self, rig: BusRig) -> None:
        """What was taken or waiting at the close and not acknowledged comes again, once."""
        await _append(rig, *"abcdef")
        reader = rig.reader("one")
        await reader.open(PARTITION)
        entries = await entries_of(reader, 3)
        await reader.acknowledge(PARTITION, entries[0].seq)
        await rig.settle()
        await reader.close(PARTITION)
        await reader.open(PARTITION)
        assert _reasons(await entries_of(reader, 5)) == list("bcdef")
        assert await nothing_for(reader)

    async def test_opening_what_is_open_starts_over(self, rig: BusRig) -> None:
        """Opening an open partition again gives what is not acknowledged, and loses nothing."""
        await _append(rig, "a", "b")
        reader = rig.reader("one")
        await reader.open(PARTITION)
        assert _reasons(await entries_of(reader, 2)) == ["a", "b"]
        await reader.open(PARTITION)
        assert _reasons(await entries_of(reader, 2)) == ["a", "b"]
        await _append(rig, "c")
        taken = await reader.take(10)
        assert not taken.lost
        assert _reasons(taken.entries or await entries_of(reader, 1)) == ["c"]

    async def test_a_closed_partition_is_read_no_more(self, rig: BusRig) -> None:
        """After closing nothing of it comes, nor can it be acknowledged."""
        await _append(rig, "a")
        reader = rig.reader("one")
        await reader.open(PARTITION)
        [entry] = await entries_of(reader, 1)
        await reader.close(PARTITION)
        await reader.acknowledge(PARTITION, entry.seq)
        await _append(rig, "b")
        assert await nothing_for(reader)
        await reader.open(PARTITION)
        assert _reasons(await entries_of(reader, 2)) == ["a", "b"]


class TestTakingOver:
    async def test_the_earlier_reader_is_cut_off_and_learns_of_it(self, rig: BusRig) -> None:
        """Opening evicts the earlier reader: it hears so, and gets nothing more."""
        first, second = rig.reader("one"), rig.reader("two")
        await first.open(PARTITION)
        await _append(rig, "a")
        assert _reasons(await entries_of(first, 1)) == ["a"]
        await second.open(PARTITION)
        assert await lost_by(first) == [PARTITION]
        await _append(rig, "b")
        assert _reasons(await entries_of(second, 2)) == ["a", "b"]
        assert await nothing_for(first)

    async def test_the_earlier_readers_word_counts_no_more(self, rig: BusRig) -> None:
        """An acknowledgement of an evicted reader does not move the journal on."""
        first, second, third = rig.reader("one"), rig.reader("two"), rig.reader("three")
        await first.open(PARTITION)
        await _append(rig, "a")
        [entry] = await entries_of(first, 1)
        await second.open(PARTITION)
        await first.acknowledge(PARTITION, entry.seq)
        await third.open(PARTITION)
        assert _reasons(await entries_of(third, 1)) == ["a"]

    async def test_a_reader_that_lost_a_partition_may_open_it_again(self, rig: BusRig) -> None:
        """Taking back works like taking over."""
        first, second = rig.reader("one"), rig.reader("two")
        await first.open(PARTITION)
        await _append(rig, "a")
        await second.open(PARTITION)
        await lost_by(first)
        await first.open(PARTITION)
        assert await lost_by(second) == [PARTITION]
        assert _reasons(await entries_of(first, 1)) == ["a"]

    async def test_other_partitions_of_the_evicted_reader_go_on(self, rig: BusRig) -> None:
        """Losing one partition leaves the others alone."""
        first, second = rig.reader("one"), rig.reader("two")
        await first.open(PARTITION)
        await first.open(0)
        await second.open(PARTITION)
        await lost_by(first)
        await _append(rig, "still", execution_id=execution_in(0))
        assert _reasons(await entries_of(first, 1)) == ["still"]
