"""Fixtures that every tier above unit shares: real servers, and a database of one's own."""

import os
from collections.abc import Iterator

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: no worker begins one of them when the others are done."""
    slow = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "kill")))}
    items.sort(key=lambda item: item.path not in slow)


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
