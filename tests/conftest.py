"""Fixtures that every tier above unit shares: real servers, and a database of one's own."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# As in services; numpy reads it when it is imported. Sums depend on how many threads add them.

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import Servers, open_servers, unique_database

SUITE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
"""The same examples each time, so that whoever is told of a failure sees it, too; a busy machine is
no defect. `hv test --search` looks at others."""

settings.register_profile("suite", SUITE)
settings.register_profile("search", SUITE, derandomize=False, max_examples=1000)
settings.load_profile("suite")


LONGEST: Final = (
    "kill/test_way_back.py",
    "kill/test_kill.py",
    "e2e/test_cli.py",
    "simulation/system/test_system.py",
    "integration/webhooks/test_other_gateways.py",
    "integration/executor/test_lost.py",
    "integration/executor/test_captures.py",
    "integration/mcp/test_tools.py",
    "e2e/test_builtin_templates.py",
    "e2e/test_guide.py",
    "e2e/test_learning.py",
    "integration/executor/test_fencing.py",
    "e2e/test_demo.py",
    "integration/executor/test_leftovers.py",
    "integration/executor/test_notifications.py",
    "e2e/test_monitoring.py",
    "unit/contracts/test_proto.py",
    "integration/test_supervisor.py",
    "bench/test_engine_bench.py",
    "integration/executor/test_partitions.py",
)
"""Files of half a minute and more, the longest first, as the suite was last measured."""

PROCESSOR: Final = frozenset({"architecture", "patterns", "simulation", "unit"})
"""Folders whose tests compute; those of the others wait for servers most of the time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first: no worker begins one of them when the others are done. Then
    come those that wait and those that compute, mixed: some compute while others wait."""
    place = {path: number for number, path in enumerate(_order({item.path for item in items}))}
    items.sort(key=lambda item: place[item.path])


def _order(paths: Collection[Path]) -> list[Path]:
    here = Path(__file__).parent
    names = {path.relative_to(here).as_posix(): path for path in sorted(paths)}
    longest = [name for name in LONGEST if name in names]
    rest = [name for name in names if name not in longest]
    computing = [name for name in rest if name.partition("/")[0] in PROCESSOR]
    waiting = [name for name in rest if name.partition("/")[0] not in PROCESSOR]
    mixed = sorted(
        (number / len(group), name)
        for group in (waiting, computing)
        for number, name in enumerate(group)
    )
    return [names[name] for name in (*longest, *(name for _, name in mixed))]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Real NATS and MongoDB, started once for the whole run and only if a test asks for them."""
    with open_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture
def nats_url(servers: Servers) -> str:
    """Return the NATS URL of the admin user, who may do anything."""
    return servers.nats_url("admin")


@pytest.fixture
def mongo_url(servers: Servers) -> Iterator[str]:
    """Return a MongoDB URL whose default database belongs to this test alone and is dropped after
    it.
    """
    from pymongo import MongoClient

    url = servers.mongo_admin_url(unique_database())
    yield url
    with MongoClient[dict[str, object]](url) as client:
        client.drop_database(client.get_default_database().name)
