"""`hv sim`: runs seeded worlds, and says how each that failed is run again."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from tests.simulation.system.mutations import MUTATIONS, mutated
from tests.simulation.system.undo_mutations import UNDO_MUTATIONS
from tests.simulation.system.undo_world import UndoWorld
from tests.simulation.system.world import Outcome, World, play

SHOWN: Final = 5
"""Violations of one world, and worlds that failed, that are printed."""
PROGRESS_S: Final = 2.0


def main(arguments: list[str]) -> int:
    """Run the worlds; 0 if nothing was violated, 1 if something was, 2 if asked for nonsense."""
    asked = _parser().parse_args(arguments)
    if asked.mutation == "list":
        for name, make in {**MUTATIONS, **UNDO_MUTATIONS}.items():
            print(f"{name}: {' '.join((make.__doc__ or '').split())}")
        return 0
    known = UNDO_MUTATIONS if asked.rollbacks else MUTATIONS
    if asked.mutation is not None and asked.mutation not in known:
        print(f"no mutation {asked.mutation!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    with mutated(asked.mutation, known):
        summary = _run(asked)
    if asked.json:
        print(json.dumps(summary, indent=2))
    else:
        _tell(summary)
    return bool(summary["failed"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hv sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="How many worlds.")
    parser.add_argument("--start", type=int, default=0, help="The first seed.")
    parser.add_argument("--mutation", help="Break the engine in this way.")
    parser.add_argument("--rollbacks", action="store_true", help="Worlds that are rolled back.")
    parser.add_argument("--first", action="store_true", help="Stop at the first failure.")
    parser.add_argument("--json", action="store_true", help="Print JSON and nothing else.")
    return parser


def _run(asked: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    outcomes: list[Outcome] = []
    for outcome in _worlds(asked):
        outcomes.append(outcome)
        if outcome.violations and asked.first:
            break
    failed = [outcome for outcome in outcomes if outcome.violations]
    return {
        "seeds": len(outcomes),
        "start": asked.start,
        "mutation": asked.mutation,
        "executions": sum(outcome.executions for outcome in outcomes),
        "entries": sum(outcome.entries for outcome in outcomes),
        "starts": sum(outcome.starts for outcome in outcomes),
        "crashes": sum(outcome.crashes for outcome in outcomes),
        "virtual_hours": round(sum(outcome.virtual_s for outcome in outcomes) / 3600, 1),
        "took_s": round(time.monotonic() - began, 1),
        "traces": _digest(outcomes),
        "failed": [
            {**asdict(outcome), "reproduce": _reproduce(outcome.seed, asked)} for outcome in failed
        ],
    }


def _worlds(asked: argparse.Namespace) -> Iterator[Outcome]:
    told = time.monotonic()
    failed = 0
    for number in range(asked.seeds):
        outcome = play(asked.start + number, UndoWorld if asked.rollbacks else World)
        failed += bool(outcome.violations)
        yield outcome
        if time.monotonic() - told > PROGRESS_S and not asked.json:
            told = time.monotonic()
            print(f"{number + 1} of {asked.seeds} worlds, {failed} failed", flush=True)


def _digest(outcomes: list[Outcome]) -> str:
    """One word for all traces: the same seeds must give the same."""
    import hashlib

    return hashlib.sha256("".join(o.trace for o in outcomes).encode()).hexdigest()[:16]


def _reproduce(seed: int, asked: argparse.Namespace) -> str:
    kind = " --rollbacks" if asked.rollbacks else ""
    mutation = f" --mutation {asked.mutation}" if asked.mutation else ""
    return f"./hv sim --seeds 1 --start {seed}{kind}{mutation}"


def _tell(summary: dict[str, Any]) -> None:
    for failed in summary["failed"][:SHOWN]:
        print(f"seed {failed['seed']}: {len(failed['violations'])} violations")
        for violation in failed["violations"][:SHOWN]:
            print(f"  {violation}")
        print(f"  reproduce: {failed['reproduce']}")
    print(
        f"{summary['seeds']} worlds, {summary['executions']} executions, "
        f"{summary['entries']} journal entries, {summary['starts']} starts of commands, "
        f"{summary['crashes']} crashes amid effects, {summary['virtual_hours']} virtual hours "
        f"in {summary['took_s']} s, traces {summary['traces']}"
    )
    print(f"{len(summary['failed'])} failed" if summary["failed"] else "nothing was violated")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
