"""Prometheus for the embedded stack: its configuration, and a file of targets that it follows.

`write` is called whenever the stack becomes ready. Prometheus is not started by the stack; whoever
has it runs `prometheus --config.file .hive/prometheus/prometheus.yml` and needs no other setting.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ops.stack.layout import write_private

FOLDER = Path(__file__).parent
CONFIG = FOLDER / "prometheus.yml"
_NUMBERED = re.compile(r"-\d+$")


def write(home: Path, ports: Mapping[str, int]) -> Path:
    """Write configuration and targets under `home`/prometheus; return the configuration's path.

    `ports` are those of the services' metrics by service name, for example `executor-1`.
    """
    folder = home / "prometheus"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder / "prometheus.yml"
    for job in _jobs():
        write_private(folder / f"{job}.json", json.dumps(targets(job, ports), indent=2) + "\n")
    write_private(config, yaml.safe_dump(render(folder), sort_keys=False))
    return config


def targets(job: str, ports: Mapping[str, int]) -> list[dict[str, Any]]:
    """The targets of one job in the format of `file_sd_configs`, each labelled with its service."""
    return [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"service": name}}
        for name, port in sorted(ports.items())
        if _NUMBERED.sub("", name) == job
    ]


def render(folder: Path) -> dict[str, Any]:
    """The configuration of Docker's Prometheus, with targets from files in `folder`."""
    config = _docker_config()
    config["global"] |= {"scrape_interval": "5s", "evaluation_interval": "5s"}
    config["rule_files"] = [str(FOLDER / name) for name in config["rule_files"]]
    config["scrape_configs"] = [
        {
            "job_name": job,
            "file_sd_configs": [{"files": [str(folder / f"{job}.json")], "refresh_interval": "5s"}],
        }
        for job in _jobs()
    ]
    return config


def _jobs() -> list[str]:
    return [scrape["job_name"] for scrape in _docker_config()["scrape_configs"]]


def _docker_config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return loaded
