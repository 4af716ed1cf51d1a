"""What commands put out: secrets stay sealed, sizes stay bounded, lines can be read."""

from __future__ import annotations

import json
import secrets

import pytest

from shared.adapters.nats.events import NatsLogStream
from shared.contracts.tasks import LogLine
from tests.integration.executor.leaks import in_mongo, in_streams
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

LIMIT_BYTES = 16_384


async def _one(world: World) -> None:
    if "one" not in world.executors:
        await world.executor("one", output_limit_bytes=LIMIT_BYTES)


async def _lines(world: World, execution: str, step: str) -> list[LogLine]:
    reading = NatsLogStream(world.bus).read(execution, step=step)
    return [line async for found in reading for line in found.chunk.lines]


async def test_a_sensitive_output_is_used_and_seen_nowhere(world: World) -> None:
    """A later step gets the clear value of a sealed output as argument, in its environment and on
    its standard input; the database, every stream and the executor's log never have it."""
    await _one(world)
    secret = f"s3cret{secrets.token_hex(12)}"
    vault, got = world.home / "vault", world.home / "got"
    vault.write_text(secret, encoding="utf-8")
    value = "${{ steps.a.output.stdout }}"
    use = 'printf "%s\\n%s\\n" "$1" "$TOKEN" > "$2"; cat >> "$2"'
    steps = [
        shell("a", f"cat {vault}; cat {vault} >&2", sensitive=["stdout", "stderr"]),
        {
            "id": "b",
            "command": "shell",
            "depends_on": ["a"],
            "parameters": {
                "argv": ["/bin/sh", "-c", use, "use", value, str(got)],
                "env": {"TOKEN": f"Bearer {value}"},
                "stdin": value,
            },
        },
        noop("c", {"held": value}, depends_on=["a"], sensitive=["echo"]),
    ]
    outputs = {"kept": value}
    execution = await world.start("sealed", steps, outputs=outputs)
    state = await world.ended(execution)
    assert state.status == "completed"
    assert got.read_text(encoding="utf-8") == f"{secret}\nBearer {secret}\n{secret}"
    for sealed in (state.outputs["kept"], state.steps["a"].output["stderr"]):
        assert sealed.startswith("sealed:v1:")
    texts = {line.text for line in await _lines(world, execution, "a")}
    assert texts == {f"lines of {s} are sensitive and not shown" for s in ("stdout", "stderr")}
    assert await _lines(world, execution, "b") == []
    assert in_mongo(world, secret) == []
    assert await in_streams(world, secret) == []
    assert secret not in world.executors["one"].text()


async def test_a_failing_step_with_sensitive_output_is_sealed_too(world: World) -> None:
    """What a failed attempt has put out is sealed as well, also when it was stopped."""
    await _one(world)
    secret = f"s3cret{secrets.token_hex(12)}"
    vault = world.home / "vault2"
    vault.write_text(secret, encoding="utf-8")
    rest = {"sensitive": ["stdout", "stderr"], "continue_on_failure": True}
    steps = [
        shell("fails", f"cat {vault}; cat {vault} >&2; exit 4", **rest),
        shell("hangs", f"cat {vault}; sleep 60", **rest) | {"timeout_s": 1},
        shell("parses", f"cat {vault}", **rest) | {},
    ]
    steps[2]["parameters"]["parse_json"] = True
    state = await world.run("sealed_failing", steps)
    assert state.status == "completed_with_errors"
    assert in_mongo(world, secret) == []
    assert await in_streams(world, secret) == []
    assert secret not in world.executors["one"].text()


async def test_a_step_does_not_give_away_what_it_was_given(world: World) -> None:
    """A sealed value that a later step prints, or fails with, is masked in its lines and messages,
    and what of its output holds it is sealed."""
    await _one(world)
    secret = f"s3cret{secrets.token_hex(12)}"
    vault = world.home / "vault3"
    vault.write_text(f"{secret}\n", encoding="utf-8")
    value = "${{ steps.a.output.stdout }}"
    rest = {"depends_on": ["a"], "continue_on_failure": True, "command": "shell"}
    steps = [
        shell("a", f"cat {vault}", sensitive=["stdout"]),
        {"id": "prints", **rest, "parameters": {"argv": ["echo", "got", value]}},
        {"id": "fails", **rest, "parameters": {"argv": [value]}},
        {"id": "refused", **rest, "parameters": {"argv": ["true"], "expect_exit": [value]}},
    ]
    execution = await world.start("given", steps)
    state = await world.ended(execution)
    assert state.steps["prints"].output["stdout"].startswith("sealed:v1:")
    assert [line.text for line in await _lines(world, execution, "prints")] == ["got ***", ""]
    missing = state.steps["fails"].failure
    assert missing is not None
    assert "***" in missing.message
    for name, code in (("fails", "executable_not_found"), ("refused", "invalid_parameters")):
        failure = state.steps[name].failure
        assert failure is not None
        assert failure.code == code
    assert in_mongo(world, secret) == []
    assert await in_streams(world, secret) == []
    assert secret not in world.executors["one"].text()


async def test_a_large_output_is_cut_and_says_so(world: World) -> None:
    """Text beyond the agent's limit is cut in the middle; what must be whole fails instead."""
    await _one(world)
    big = "i=0; while [ $i -lt 4000 ]; do echo line-$i-xxxxxxxxxxxxxxxx; i=$((i+1)); done"
    whole = shell("b", f"echo '['; {big}", continue_on_failure=True)
    whole["parameters"]["parse_json"] = True
    state = await world.run("large", [shell("a", big), whole])
    cut = state.steps["a"].output
    assert cut["stdout_truncated"] is True
    assert cut["stdout_bytes"] > 100_000
    assert len(json.dumps(cut)) <= LIMIT_BYTES
    assert cut["stdout"].startswith("line-0-")
    assert cut["stdout"].endswith("line-3999-xxxxxxxxxxxxxxxx\n")
    failure = state.steps["b"].failure
    assert failure is not None
    assert failure.code == "output_too_large"


async def test_an_output_beyond_the_limit_fails_the_step(world: World) -> None:
    """An output that cannot be cut fails the step with its size and the limit."""
    await _one(world)
    state = await world.run("too_large", [noop("a", "x" * LIMIT_BYTES)])
    failure = state.steps["a"].failure
    assert state.status == "failed"
    assert failure is not None
    assert failure.code == "output_too_large"
    assert str(LIMIT_BYTES) in failure.message


async def test_progress_lines_are_kept_in_order_and_bounded(world: World) -> None:
    """Lines of a step can be read from the log stream, in order and by stream; of a flood only the
    first ones are kept, and how many were left out is said."""
    await _one(world)
    steps = [
        shell("few", "echo one; sleep 0.3; echo two >&2; sleep 0.3; printf three"),
        shell("flood", "seq 1 200000", depends_on=["few"]),
    ]
    execution = await world.start("lines", steps)
    await world.ended(execution)
    few = await _lines(world, execution, "few")
    assert [(line.number, line.stream, line.text) for line in few] == [
        (1, "stdout", "one"),
        (2, "stderr", "two"),
        (3, "stdout", "three"),
    ]
    flood = await _lines(world, execution, "flood")
    assert 1 < len(flood) <= 10_001
    assert flood[0].text == "1"
    assert any("more lines not" in line.text or "were not kept" in line.text for line in flood)


async def test_a_wide_fan_out_joins(world: World) -> None:
    """Two hundred parallel steps run once each, and the join gets the output of every one."""
    await _one(world)
    count = 200
    fan = [
        noop(f"s{n}", {"n": n}, depends_on=["first"], parallel_group="fan") for n in range(count)
    ]
    numbers = [f"${{{{ steps.s{n}.output.echo.n }}}}" for n in range(count)]
    steps = [noop("first"), *fan, noop("join", numbers, depends_on=["fan"])]
    state = await world.run("fan", steps, outputs={"all": "${{ steps.join.output.echo }}"})
    assert state.status == "completed"
    assert state.outputs["all"] == list(range(count))
    assert all(len(step.attempts) == 1 for step in state.steps.values())


async def test_a_fan_out_of_large_outputs(world: World) -> None:
    """Large outputs of many steps, handed on to many, are stored or refused; nothing is stuck."""
    await _one(world)
    count = 120
    big = noop("big", "x" * (LIMIT_BYTES - 200))
    fan = [noop(f"s{n}", "${{ steps.big.output.echo }}", depends_on=["big"]) for n in range(count)]
    state = await world.run("fan_large", [big, *fan])
    assert state.status == "completed"
    assert (await world.run("after_large", [noop("a")])).status == "completed"
