"""A rollback that nobody plans: it waits, and that is seen at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.adapters.mongo.actors import MongoRollbackStore
from tests.integration.gateway_fixtures import executor, own_database
from tests.integration.gateway_world import open_world
from tests.integration.rollback.conftest import rollback_service
from tests.integration.rollback.world import RollbackWorld, shell
from tests.servers import Servers

pytestmark = pytest.mark.slow


async def test_it_is_said_and_it_goes_on_once_one_runs(servers: Servers, tmp_path: Path) -> None:
    """Where no rollback service answers `hv why` says so at once, and the rollback's own view; the
    gauge behind the alert grows. The first one that starts takes it up."""
    nats_url = servers.nats_url()
    with own_database(servers) as mongo_url:
        async with (
            open_world(nats_url, mongo_url, tmp_path) as opened,
            executor(nats_url, mongo_url, tmp_path),
        ):
            world = RollbackWorld(opened)
            execution = await world.run(await world.template(shell("a", "true", undo="true")))
            await world.roll_back(execution["id"])
            found = {}

            async def waits() -> bool:
                path = f"/api/v1/workflows/executions/{execution['id']}/explain"
                found.update((await world.client.get(path)).json())
                return bool(found["findings"][0]["cause"] == "no_rollback_service")

            await world.until(waits, lambda: f"nobody plans it: {found}")
            assert found["answer"].startswith("No rollback service answers")
            view = await world.rollback(execution["id"])
            assert (view["summary"]["status"], view["service_answers"]) == ("planning", False)
            since_ms = await MongoRollbackStore(opened.mongo).waiting_since()
            assert since_ms == view["summary"]["changed_at_ms"]
            async with rollback_service(nats_url, mongo_url):
                over = await world.rolled_back(execution["id"])
                assert over["summary"]["status"] == "rolled_back", over
                assert over["service_answers"] is None
