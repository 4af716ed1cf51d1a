"""Rollbacks through the gateway, on real servers, with a real agent and real files."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.rollback.world import RollbackWorld, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


def _three(world: RollbackWorld, name: str) -> list[dict[str, Any]]:
    """Three steps, one after the other, that each append a line to a file."""
    book = world.files / name
    return [
        shell(
            step,
            f"echo {step} >> {book}",
            undo=f"tail -n 1 {book} | grep -qx {step} && sed -i '$ d' {book}",
            depends_on=[before] if before else [],
        )
        for before, step in (("", "a"), ("a", "b"), ("b", "c"))
    ]


async def test_a_completed_execution_is_rolled_back(world: RollbackWorld) -> None:
    """What three steps did is undone in the reverse order, by an execution of its own."""
    book = world.files / "three"
    template = await world.template(*_three(world, "three"))
    execution = await world.run(template)
    assert execution["status"] == "completed"
    assert book.read_text() == "a\nb\nc\n"
    accepted = await world.roll_back(execution["id"], strategy="graceful", reason="a test")
    assert accepted["rollback_id"] == f"rb_{execution['id']}"
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rolled_back", over
    assert book.read_text() == ""
    assert [item["key"] for item in over["plan"]["items"]] == ["c", "b", "a"]
    view = await world.status(execution["id"], "rolled_back")
    assert view["ended"]
    run = await world.execution(over["summary"]["run"])
    assert (run["status"], run["category"]) == ("completed", "rollback")
    assert run["labels"] == {"rollback_of": execution["id"]}


async def test_it_is_seen_before_it_is_done(world: RollbackWorld) -> None:
    """A preview names what would be undone and what would remain, and does nothing."""
    book = world.files / "preview"
    template = await world.template(
        *_three(world, "preview"),
        shell("d", f"touch {book}.d", depends_on=["c"], irreversible="it is a test"),
        shell("e", f"touch {book}.e", depends_on=["d"]),
        shell("f", "true", depends_on=["e"]),
    )
    execution = await world.run(template)
    before = book.read_text()
    path = f"/api/v1/workflows/executions/{execution['id']}"
    answer = await world.client.get(f"{path}/rollback/preview?strategy=immediate")
    plan = answer.json()
    assert [item["key"] for item in plan["items"]] == ["c", "b", "a"]
    assert [(one["key"], one["accepted"]) for one in plan["left"]] == [("e", False), ("d", True)]
    assert plan["complete"] is False
    assert plan["items"][0]["parameters"]["script"].startswith("tail -n 1")
    points = (await world.client.get(f"{path}/rollback-points")).json()["items"]
    assert [one["step"] for one in points] == ["a", "b", "c", "d", "e"]
    assert book.read_text() == before
    assert (await world.execution(execution["id"]))["status"] == "completed"
    refused = await world.client.get(f"{path}/rollback/preview?strategy=checkpoint&to=nowhere")
    assert refused.status_code == 422
    assert "there are: a, b, c, d, e" in refused.json()["detail"]


async def test_what_fails_remains(world: RollbackWorld) -> None:
    """A compensation that fails holds back what it depended on, and the runbook has the rest; a
    second rollback takes up what remains."""
    book, wall = world.files / "fails", world.files / "wall"
    wall.write_text("")
    undo = f"test ! -e {wall} && sed -i '$ d' {book}"
    retry = {"max_attempts": 1}
    steps = [
        shell("a", f"echo a >> {book}", undo=f"sed -i '$ d' {book}"),
        shell("b", f"echo b >> {book}", undo=undo, depends_on=["a"]),
        shell("c", f"echo c >> {book}", undo=f"sed -i '$ d' {book}", depends_on=["b"]),
    ]
    steps[1]["rollback"]["retry"] = retry
    execution = await world.run(await world.template(*steps))
    await world.roll_back(execution["id"])
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rollback_incomplete"
    assert over["undone"] == ["c"]
    assert [line.split(" ")[0] for line in over["summary"]["left"]] == ["b", "a"]
    runbook = (await world.client.get(f"/api/v1/rollbacks/{execution['id']}/runbook")).json()
    assert "Undo `b`" in runbook["markdown"]
    assert "Undo `c`" not in runbook["markdown"]
    assert book.read_text() == "a\nb\n"
    await world.status(execution["id"], "rollback_incomplete")
    wall.unlink()
    await world.roll_back(execution["id"])
    over = await world.rolled_back(execution["id"], 2)
    assert over["summary"]["status"] == "rolled_back", over
    assert [item["key"] for item in over["plan"]["items"]] == ["b", "a"]
    assert [one["status"] for one in over["rounds"]] == ["rollback_incomplete"]
    assert book.read_text() == ""


async def test_what_runs_may_finish_or_is_stopped(world: RollbackWorld) -> None:
    """`graceful` lets a running step end, `immediate` stops it with proof; both undo it."""
    for strategy, ending in (("graceful", "b\n"), ("immediate", "")):
        book, begun = world.files / f"book-{strategy}", world.files / f"begun-{strategy}"
        template = await world.template(
            shell("a", f"echo a >> {book}", undo=f"sed -i '/^a$/d' {book}"),
            shell(
                "b",
                f"touch {begun}; sleep 1.5; echo b >> {book}",
                undo=f"cp {book} {book}.before; sed -i '/^b$/d' {book}",
                depends_on=["a"],
            ),
            shell("c", f"echo c >> {book}", depends_on=["b"]),
        )
        execution = await world.run(template, wait=0)

        async def begins(begun: Any = begun) -> bool:
            return bool(begun.exists())

        await world.until(begins, lambda: "the second step has begun")
        await world.roll_back(execution["id"], strategy=strategy)
        over = await world.rolled_back(execution["id"])
        assert over["summary"]["status"] == "rolled_back", over
        assert [(i["key"], i["certain"]) for i in over["plan"]["items"]] == [
            ("b", strategy == "graceful"),
            ("a", True),
        ]
        assert (world.files / f"book-{strategy}.before").read_text() == "a\n" + ending
        assert book.read_text() == ""
        view = await world.status(execution["id"], "rolled_back")
        steps = {step["id"]: step for step in view["steps"]}
        assert steps["c"]["status"] == "cancelled"
        if strategy == "immediate":
            assert steps["b"]["attempts"][-1]["proof"]["gone"] is True


async def test_back_to_a_checkpoint_and_on_from_there(world: RollbackWorld) -> None:
    """Only what came after the checkpoint is undone; a re-run from there keeps the rest."""
    book = world.files / "checkpoint"
    steps = _three(world, "checkpoint")
    steps[1]["checkpoint"] = "half"
    execution = await world.run(await world.template(*steps))
    accepted = await world.roll_back(execution["id"], to="half")
    assert accepted["strategy"] == "checkpoint"
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rolled_back"
    assert book.read_text() == "a\n"
    path = f"/api/v1/workflows/executions/{execution['id']}/rerun"
    await world.status(execution["id"], "rolled_back")
    answer = await world.client.post(path, json={"failed_only": True})
    assert answer.status_code == 202, answer.text
    again = await world.status(answer.json()["execution_id"], "completed")
    assert book.read_text() == "a\nb\nc\n"
    steps_again = {step["id"]: step["kept_from"] for step in again["steps"]}
    assert steps_again == {"a": execution["id"], "b": None, "c": None}
    await world.roll_back(again["id"])
    over = await world.rolled_back(again["id"])
    assert [item["key"] for item in over["plan"]["items"]] == ["c", "b"]
    assert book.read_text() == "a\n"


async def test_people_do_it_by_the_runbook(world: RollbackWorld) -> None:
    """A manual rollback gives the commands with real values, and is over when all is ticked off."""
    book = world.files / "manual"
    execution = await world.run(await world.template(*_three(world, "manual")))
    await world.roll_back(execution["id"], strategy="manual")
    rollback = f"/api/v1/rollbacks/rb_{execution['id']}"

    async def awaits() -> bool:
        found = await world.rollback(execution["id"])
        return bool(found.get("summary", {}).get("status") == "awaiting_people")

    await world.until(awaits, lambda: "it awaits people")
    markdown = (await world.client.get(f"{rollback}/runbook")).json()["markdown"]
    assert "### On agent-test" in markdown
    assert f"tail -n 1 {book} | grep -qx c" in markdown
    for number, verdict in ((1, "done"), (2, "skipped")):
        body = {"verdict": verdict, "comment": "seen"}
        answer = await world.client.post(f"{rollback}/items/{number}", json=body)
        assert answer.status_code == 202, answer.text
    unknown = await world.client.post(f"{rollback}/items/9", json={"verdict": "done"})
    assert unknown.status_code == 409
    await world.client.post(f"{rollback}/items/3", json={"verdict": "done"})
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rollback_incomplete"
    assert over["summary"]["left"] == ["b: skipped (seen)"]
    assert over["ticks"]["2"]["by"]["id"]
    assert book.read_text() == "a\nb\nc\n"


async def test_one_at_a_time_and_what_cannot_be(world: RollbackWorld) -> None:
    """A second request is refused while one runs; the same key again is the same request; what is
    no execution of its own is refused, and ids of rollbacks are nobody else's."""
    execution = await world.run(await world.template(shell("a", "true", undo="sleep 3")))
    path = f"/api/v1/workflows/executions/{execution['id']}/rollback"
    headers = {"Idempotency-Key": "once"}
    first = await world.client.post(path, json={}, headers=headers)
    assert first.status_code == 202

    async def runs() -> bool:
        found = await world.rollback(execution["id"])
        return bool(found.get("summary", {}).get("status") == "running")

    await world.until(runs, lambda: "it runs")
    second = await world.client.post(path, json={})
    assert second.status_code == 409
    assert "one runs at a time" in second.json()["detail"]
    again = await world.client.post(path, json={}, headers=headers)
    assert (again.status_code, again.json()["replayed"]) == (202, True)
    cancelled = await world.client.post(f"/api/v1/rollbacks/{execution['id']}/cancel")
    assert cancelled.status_code == 202
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rollback_failed"
    run = over["summary"]["run"]
    assert (
        await world.client.post(f"/api/v1/workflows/executions/{run}/rollback")
    ).status_code == 409
    rerun = await world.client.post(f"/api/v1/workflows/executions/{run}/rerun", json={})
    assert rerun.status_code == 409
    own = {"id": "rollback.x", "name": "x", "steps": [{"id": "a", "command": "noop"}]}
    assert (await world.client.post("/api/v1/workflows/templates", json=own)).status_code == 409
    listed = (await world.client.get("/api/v1/workflows/templates?limit=200")).json()["items"]
    assert not any(one["id"].startswith("rollback.") for one in listed)
    async with await world.world.as_role("viewer") as viewer:
        assert (await viewer.post(path, json={})).status_code == 403


async def test_by_itself_after_a_failure(world: RollbackWorld) -> None:
    """Where the policy says so, a failure is undone without anybody asking; what failed midway
    is undone, too."""
    book = world.files / "auto"
    steps = _three(world, "auto")
    steps[2]["parameters"]["script"] += "; exit 3"
    template = await world.template(*steps, policies={"rollback": {"on_failure": True}})
    execution = await world.run(template)
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rolled_back", over
    assert over["summary"]["reason"] == "the execution failed"
    assert [(i["key"], i["certain"]) for i in over["plan"]["items"]] == [
        ("c", False),
        ("b", True),
        ("a", True),
    ]
    assert book.read_text() == ""
    view = await world.status(execution["id"], "rolled_back")
    assert view["failure"]["code"]


async def test_a_fleet_that_fails_undoes_what_it_touched(world: RollbackWorld) -> None:
    """The safety net undoes the targets of a fleet that failed, and no other step."""
    book = world.files / "fleet"
    fleet = shell(
        "f",
        f"echo f >> {book}; exit 1",
        undo=f"sed -i '/^f$/d' {book}",
        target={"where": "agent.name == 'agent-test'", "strategy": "rolling", "batch": 1},
        depends_on=["a"],
    )
    template = await world.template(
        shell("a", f"echo a >> {book}", undo=f"sed -i '/^a$/d' {book}"), fleet
    )
    execution = await world.run(template)
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rolled_back", over
    assert [(i["key"], i["agent"]) for i in over["plan"]["items"]] == [("f[0]", "agent-test")]
    assert book.read_text() == "a\n"


async def test_sub_workflows_and_loops_are_undone_with_it(world: RollbackWorld) -> None:
    """What a sub-workflow did is undone where its call stood, what a loop did by instance."""
    book = world.files / "nested"
    parameters = {"word": {"type": "string"}}
    word_undo = "tail -n 1 $BOOK | grep -qx $WORD && sed -i '$ d' $BOOK"
    word = shell("x", 'echo "$WORD" >> "$BOOK"', undo=word_undo)
    for part in (word["parameters"], word["rollback"]["parameters"]):
        part["env"] = {"WORD": "${{ params.word }}", "BOOK": str(book)}
    inner = await world.template(word, parameters=parameters)
    loop_undo = "tail -n 1 $BOOK | grep -qx $ITEM && sed -i '$ d' $BOOK"
    loop = shell("l", 'echo "$ITEM" >> "$BOOK"', undo=loop_undo, depends_on=["c"])
    for part in (loop["parameters"], loop["rollback"]["parameters"]):
        part["env"] = {"ITEM": "${{ item }}", "BOOK": str(book)}
    loop["foreach"] = {"items": "['i0', 'i1']", "concurrency": 1}
    call = {
        "id": "c",
        "workflow": {"template": inner, "version": "1.0.0"},
        "parameters": {"word": "inner"},
    }
    execution = await world.run(await world.template(call, loop))
    assert execution["status"] == "completed", execution
    assert book.read_text() == "inner\ni0\ni1\n"
    child = next(s["child"] for s in execution["steps"] if s["id"] == "c")
    refused = await world.client.post(f"/api/v1/workflows/executions/{child}/rollback")
    assert refused.status_code == 409
    await world.roll_back(execution["id"])
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rolled_back", over
    assert [i["key"] for i in over["plan"]["items"]] == ["l[1]", "l[0]", "c/x"]
    assert book.read_text() == ""


async def test_it_is_seen_before_the_run(world: RollbackWorld) -> None:
    """From the template and the parameters alone."""
    steps = _three(world, "ahead")
    template = await world.template(*steps, parameters={"p": {"type": "string"}})
    path = f"/api/v1/workflows/templates/{template}/rollback/preview"
    plan = (await world.client.post(path, json={"parameters": {"p": "x"}})).json()
    assert [item["key"] for item in plan["items"]] == ["c", "b", "a"]
    assert plan["complete"] is True
    assert (await world.client.post(path, json={})).status_code == 422
    unknown = "/api/v1/workflows/templates/nowhere/rollback/preview"
    assert (await world.client.post(unknown, json={})).status_code == 404


async def test_files_are_put_back_without_a_word_of_the_author(world: RollbackWorld) -> None:
    """What an agent kept before it changed files is restored byte for byte: content, mode, and that
    there was nothing."""
    there, new, gone = (world.files / name for name in ("there", "new", "gone"))
    there.write_bytes(b"before \xff\x00 $x\n")
    there.chmod(0o640)
    gone.write_text("still here\n")
    steps: list[dict[str, Any]] = [
        {"operation": "write", "path": str(there), "content": "after", "mode": "0600"},
        {"operation": "write", "path": str(new), "content": "new"},
        {"operation": "delete", "path": str(gone)},
    ]
    template = await world.template(
        *(
            {
                "id": f"s{n}",
                "command": "file",
                "parameters": parameters,
                "depends_on": [f"s{n - 1}"] if n else [],
            }
            for n, parameters in enumerate(steps)
        )
    )
    execution = await world.run(template)
    assert execution["status"] == "completed", execution
    assert (there.read_text(), new.read_text(), gone.exists()) == ("after", "new", False)
    await world.roll_back(execution["id"])
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rolled_back", over
    assert {item["command"] for item in over["plan"]["items"]} == {"restore"}
    assert there.read_bytes() == b"before \xff\x00 $x\n"
    assert there.stat().st_mode & 0o777 == 0o640
    assert not new.exists()
    assert gone.read_text() == "still here\n"


async def test_a_fleet_of_a_sub_workflow_undoes_what_it_touched(world: RollbackWorld) -> None:
    """The safety net reaches below calls: the topmost execution fails for a fleet in its
    sub-workflow, which is undone without asking, and nothing else is."""
    before, touched = world.files / "before", world.files / "touched"
    fleet = shell("roll", f"touch {touched}; exit 1", undo=f"rm -f {touched}")
    inner = await world.template({**fleet, "target": {"where": "true"}})
    call = {"id": "call", "workflow": {"template": inner, "version": "1.0.0"}}
    outer = await world.template(
        shell("first", f"touch {before}", undo=f"rm {before}"), {**call, "depends_on": ["first"]}
    )
    execution = await world.run(outer)
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rolled_back", over
    assert over["summary"]["reason"] == "call/roll failed"
    assert [item["key"] for item in over["plan"]["items"]] == ["call/roll[0]"]
    assert before.exists()
    assert not touched.exists()
    await world.status(execution["id"], "rolled_back")


async def test_its_end_is_told_to_people(world: RollbackWorld) -> None:
    """What the template names becomes a broadcast, with the execution as its origin."""
    policies = {"notifications": [{"on": ["rolled_back"], "severity": "warning"}]}
    template = await world.template(shell("a", "true", undo="true"), policies=policies)
    execution = await world.run(template)
    await world.roll_back(execution["id"])
    await world.status(execution["id"], "rolled_back")
    found: list[Any] = []

    async def told() -> bool:
        answer = await world.client.get("/api/v1/broadcasts?limit=50")
        found[:] = [one for one in answer.json()["items"] if "rolled_back" in str(one)]
        return any(execution["id"] in str(one) for one in found)

    await world.until(told, lambda: f"it is told: {found}")
    [one] = [one for one in found if execution["id"] in str(one)]
    assert f"{template}: rolled_back" in str(one)
