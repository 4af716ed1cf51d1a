"""`hv bench suggestions`: how long an answer takes with 500 templates and very many commands.

Commands are folded here by the service's own code and given to it as a snapshot; then the service
is started anew, as after a crash. Questions arrive by chance at a fixed rate, whether earlier ones
are answered or not, over at most 50 connections; a latency counts from when its question was due.
`outside` is what a client sees at the gateway, `inside` what the service says of itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from ops.stack.spec import GATEWAY_PORT_VARIABLE
from services.cli.bench import suggestion_load as made_up
from services.cli.bench.measure import cpu_seconds, percentile
from services.cli.bench.stack import BenchStack, bench_stack
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.snapshots import MongoSnapshots
from shared.learning.next_command_fold import NextCommandFold
from shared.ports.snapshots import Snapshot
from shared.runtime.clock import SystemClock

CLIENTS: Final = 50
KNOWN_TEXTS: Final = 200
NEW_TEXTS: Final = 0.2
"""Of texts, those that nobody asked about before."""

SHARES: Final = {"next": 0.6, "complete": 0.15, "text": 0.25}
"""How often each kind is asked."""

READY_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured; the defaults are those of the recorded figures."""

    commands: int = 1_000_000
    templates: int = 500
    rates: tuple[float, ...] = (50.0, 100.0)
    """Questions a second."""
    seconds: float = 30.0
    snapshot: Path | None = None
    """A model that was folded before; made where it is not there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, in milliseconds."""

    kind: str
    outside: float
    inside: float


def run(load: Load, console: Console) -> dict[str, dict[str, Any]]:
    """The figures: of folding, of starting, and of each rate."""

    def report(text: str) -> None:
        console.print(f"[dim]{text}[/dim]")

    data, folding = _folded(load, report)
    with bench_stack("relaxed") as stack:
        return {"folding": folding, **asyncio.run(_measured(stack, load, data, report))}


def _folded(load: Load, report: Any) -> tuple[bytes, dict[str, Any]]:
    if load.snapshot is not None and load.snapshot.exists():
        return load.snapshot.read_bytes(), {"from": load.snapshot.name}
    report(f"folding {load.commands} commands")
    fold, began = NextCommandFold(), time.process_time()
    for place, item in enumerate(made_up.commands(load.commands), 1):
        fold.apply(item, place)
        if place % 50_000 == 0:
            report(f"  {place}")
    cpu_s = time.process_time() - began
    data = fold.save()
    if load.snapshot is not None:
        load.snapshot.write_bytes(data)
    return data, {
        "commands": load.commands,
        "cpu_ms_each": round(cpu_s / load.commands * 1_000, 2),
        "snapshot_mb": round(len(data) / 1e6, 1),
    }


async def _measured(stack: BenchStack, load: Load, data: bytes, report: Any) -> dict[str, Any]:
    secret = (stack.home / "admin.key").read_text(encoding="utf-8").strip()
    url = f"http://127.0.0.1:{os.environ[GATEWAY_PORT_VARIABLE]}/api/v1/workflows/"
    headers = {"Authorization": f"Bearer {secret}"}
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=30, limits=limits
    ) as client:
        report(f"storing {load.templates} templates")
        for definition in made_up.templates(load.templates - 6):
            (await client.post("templates", json=definition)).raise_for_status()
        learned_s = await _until_learned(client, load)
        await _give(stack, data)
        report("starting the service anew")
        began = time.perf_counter()
        os.kill(stack.pids_by_name["suggestion"], signal.SIGKILL)
        await asyncio.sleep(1)
        pid = await _until_back(client, stack)
        await _until_learned(client, load)
        started_s = time.perf_counter() - began
        figures: dict[str, Any] = {
            "starting": {
                "learned_templates_s": round(learned_s, 1),
                "started_anew_s": round(started_s, 1),
                "memory_mb": _memory_mb(pid),
            }
        }
        gateway = stack.pids_by_name["gateway"]
        for rate in load.rates:
            report(f"{rate:g} questions a second for {load.seconds:g} s")
            before = cpu_seconds([pid]), cpu_seconds([gateway])
            asked = await _rounds(client, rate, load.seconds)
            used = cpu_seconds([pid]) - before[0], cpu_seconds([gateway]) - before[1]
            figures[f"{rate:g}/s"] = _figures(asked, used)
    return figures


async def _give(stack: BenchStack, data: bytes) -> None:
    """Store the model as the learning service would."""
    mongo = Mongo(stack.mongo_url, journaled=False)
    try:
        snapshots = MongoSnapshots(mongo)
        await snapshots.ensure_indexes()
        digest = hashlib.sha256(data).hexdigest()
        fold = NextCommandFold
        await snapshots.put(
            Snapshot(
                id="bench",
                model=fold.name,
                version=fold.version,
                place=1,
                forgotten=1,
                items=1,
                at_ms=SystemClock().now_ms(),
                size=len(data),
                digest=digest,
            ),
            data,
        )
    finally:
        await mongo.close()


async def _until_learned(client: httpx.AsyncClient, load: Load) -> float:
    """Wait until the text model knows the made-up templates; gives how long that took."""
    began = time.perf_counter()
    definition = list(made_up.templates(load.templates - 6))[-1]
    async with asyncio.timeout(READY_S):
        while True:
            answer = await client.post("suggest", json={"intent": definition["situations"][0]})
            if answer.status_code == 200 and definition["id"] in answer.text:
                return time.perf_counter() - began
            await asyncio.sleep(0.5)


async def _until_back(client: httpx.AsyncClient, stack: BenchStack) -> int:
    """The new process's id, once it answers."""
    from ops.stack.layout import Layout
    from ops.stack.state import running

    async with asyncio.timeout(READY_S):
        while True:
            record = running(Layout(stack.home))
            pids = {s.name: s.pid for s in record.services} if record is not None else {}
            pid = pids.get("suggestion")
            if pid and pid != stack.pids_by_name["suggestion"]:
                answer = await client.post("suggest", json={})
                if answer.status_code == 200:
                    return pid
            await asyncio.sleep(0.2)


def _memory_mb(pid: int) -> dict[str, int]:
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "RssFile"):
            found[name] = round(int(value.split()[0]) / 1_024)
    return found


async def _rounds(client: httpx.AsyncClient, rate: float, seconds: float) -> list[Asked]:
    draw = random.Random(7)  # noqa: S311 - the same in every round
    texts = [made_up.text(random.Random(n)) for n in range(KNOWN_TEXTS)]  # noqa: S311
    for known in texts:
        (await client.post("suggest", json={"context": known})).raise_for_status()
    loop = asyncio.get_running_loop()
    asked: list[Asked] = []
    running: set[asyncio.Task[None]] = set()
    due = loop.time()
    end = due + seconds
    while due < end:
        due += draw.expovariate(rate)
        kind, path, body = _question(draw, texts)
        await asyncio.sleep(max(0.0, due - loop.time()))
        task = asyncio.create_task(_ask(client, kind, path, body, due, asked))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return asked


def _question(draw: random.Random, texts: list[str]) -> tuple[str, str, dict[str, Any]]:
    kind = draw.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "next":
        body = {"recent_commands": made_up.recent(draw), "kinds": ["command"]}
        return kind, "suggest", body
    if kind == "complete":
        return kind, "autocomplete", {"partial_sequence": made_up.started(draw)}
    if draw.random() < NEW_TEXTS:
        new = f"{made_up.text(draw)} ({draw.randrange(10**9)})"
        return "text, new", "suggest", {"context": new}
    return "text, known", "suggest", {"context": draw.choice(texts)}


async def _ask(
    client: httpx.AsyncClient,
    kind: str,
    path: str,
    body: dict[str, Any],
    due: float,
    asked: list[Asked],
) -> None:
    answer = await client.post(path, json=body)
    outside = (asyncio.get_running_loop().time() - due) * 1_000
    answer.raise_for_status()
    asked.append(Asked(kind, outside, answer.json()["took_us"] / 1_000))


def _figures(asked: list[Asked], used: tuple[float, float]) -> dict[str, Any]:
    found: dict[str, Any] = {"answers": len(asked)}
    for kind in ("all", *sorted({one.kind for one in asked})):
        some = [one for one in asked if kind in ("all", one.kind)]
        for place in ("outside", "inside"):
            took = [getattr(one, place) for one in some]
            p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
            found[f"{kind}, {place}: p50 / p99 ms"] = f"{p50:.1f} / {p99:.1f}"
    service, gateway = (round(cpu / len(asked) * 1_000, 1) for cpu in used)
    found["cpu ms an answer: service / gateway"] = f"{service} / {gateway}"
    return found
