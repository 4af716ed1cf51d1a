"""What an earlier process of this agent left running is stopped before the agent takes tasks.

An agent that is killed with -9 cannot stop the programs of its steps: they go on, while the steps
are reported as lost and may run again elsewhere. So the next process of the same agent looks for
them by the notes that the earlier one left, stops them (SIGTERM, then SIGKILL), and logs the proof.

Only programs in this agent's own notes are touched, and only if the process that noted them has
ended: those of another agent, of another system, or of a second process with the same name are not.

The kernel could kill a program with its agent (`PR_SET_PDEATHSIG`), and this does not use it: it
reaches the first process of a program only, never those that it started; it is cleared for programs
with other rights; and there is no way to set it without running code between fork and exec, which a
program with threads must not do, or a helper program in front of each command, which costs time and
hides why a program could not be started. Under systemd `KillMode=control-group`, the default, and
in a container everything ends with the agent anyway.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import structlog

from services.executor.commands.process_tree import LeftTree
from services.executor.commands.running_records import Note, RunningRecords

log = structlog.get_logger()


async def stop_leftovers(records: RunningRecords, workdirs: Path) -> None:
    """Stop everything that is left, all of it at once; returns when it is gone or time is up.

    `workdirs` has the private directories of attempts; those of what is gone are removed.
    """
    notes = await asyncio.to_thread(lambda: list(records.abandoned()))
    await asyncio.gather(*(asyncio.to_thread(_stop, records, note, workdirs) for note in notes))


def _stop(records: RunningRecords, note: Note, workdirs: Path) -> None:
    proof = LeftTree(note.mark).stop()
    if proof.gone:  # else the next start tries again
        shutil.rmtree(workdirs / Path(note.attempt).name, ignore_errors=True)
        records.forget(note.mark)
    if proof.pids:
        say = log.warning if proof.gone else log.error
        say(
            "a program outlived an earlier process of this agent",
            attempt=note.attempt,
            killed=note.owner,
            pids=list(proof.pids),
            signals=list(proof.signals),
            gone=proof.gone,
            reason=proof.reason,
        )
