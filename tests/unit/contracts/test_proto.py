"""`proto/`: schemas, samples and AsyncAPI say what the code does; old messages stay readable."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ops.nats.permissions import USERS
from services.cli import generated
from shared.contracts import generate
from shared.contracts.catalog import contracts, endpoints, verbs
from shared.contracts.samples import SampleError, _text

REPO_ROOT = Path(__file__).resolve().parents[3]
SAMPLES = REPO_ROOT / "proto" / "samples"
CONTRACTS = contracts()
ASYNCAPI: dict[str, Any] = yaml.safe_load((REPO_ROOT / "proto" / "asyncapi.yaml").read_text())
ALL_SAMPLES = sorted(SAMPLES.glob("*/**/*.json"))


def contract_of(path: Path) -> str:
    """Return the contract of a sample: the file's name, or the folder of its alternatives."""
    return path.relative_to(SAMPLES).parts[1].removesuffix(".json")


def name_of(path: Path) -> str:
    return path.relative_to(SAMPLES).as_posix()


def test_generated_files_are_current() -> None:
    """Nothing differs from what `./hv proto` would write."""
    assert generated.drift() == []


@pytest.mark.parametrize("name", CONTRACTS)
def test_schema_is_valid_and_complete_in_itself(name: str) -> None:
    """Each schema is valid, says which draft it follows, and refers to nothing outside."""
    text = (REPO_ROOT / generate.SCHEMAS / f"{name}.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("draft/2020-12/schema")
    references = re.findall(r'"\$ref": "([^"]+)"', text)
    assert all(ref.removeprefix("#/$defs/") in schema["$defs"] for ref in references)


@pytest.mark.parametrize("path", sorted((SAMPLES / "current").rglob("*.json")), ids=name_of)
def test_sample_fits_its_schema_and_its_model(path: Path) -> None:
    """A golden sample is valid by the published schema and is read by the model."""
    contract = CONTRACTS[contract_of(path)]
    schema = json.loads((REPO_ROOT / generate.SCHEMAS / f"{contract.name}.json").read_text())
    value = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(value)
    contract.adapter.validate_json(path.read_bytes())


@pytest.mark.parametrize("path", ALL_SAMPLES, ids=name_of)
def test_released_samples_stay_readable(path: Path) -> None:
    """What was ever written is still read, and is written again with the same content."""
    adapter = CONTRACTS[contract_of(path)].adapter
    parsed = adapter.validate_json(path.read_bytes())
    again = adapter.dump_python(parsed, mode="json", by_alias=True, exclude_unset=True)
    assert again == json.loads(path.read_text(encoding="utf-8"))


def test_every_alternative_has_a_sample() -> None:
    """Each type of message and event has a sample under its own name."""
    for contract in CONTRACTS.values():
        tags = contract.variants()
        folder = SAMPLES / "current" / contract.name
        assert {path.stem for path in folder.glob("*.json")} == set(tags)
    assert "step.failed" in CONTRACTS["event"].variants()


def test_a_release_was_kept() -> None:
    """There is a frozen set to be compatible with."""
    assert list((SAMPLES / "v1" / "journal_message").glob("*.json"))


def test_release_is_frozen_once(tmp_path: Path) -> None:
    """A release's samples are never replaced, and its name cannot lead elsewhere."""
    assert generate.freeze(tmp_path, "v7") > 50
    with pytest.raises(FileExistsError, match="never changed"):
        generate.freeze(tmp_path, "v7")
    with pytest.raises(ValueError, match="named v1"):
        generate.freeze(tmp_path, "../v8")


def test_sample_that_does_not_fit_says_where_to_add_it() -> None:
    """The error names the contract and the table of values."""
    template = CONTRACTS["template"]
    with pytest.raises(SampleError, match=r"template.*VALUES"):
        _text(template, {}, {"type": "object", "properties": {"id": {"type": "integer"}}})


def test_drift_is_seen_and_repaired(tmp_path: Path) -> None:
    """A changed, a missing and a left-over file are found; writing repairs all three."""
    shutil.copytree(REPO_ROOT / "proto", tmp_path / "proto")
    generated.write(tmp_path)
    changed = tmp_path / "proto" / "asyncapi.yaml"
    missing = tmp_path / generate.SCHEMAS / "task.json"
    stray = tmp_path / generate.SCHEMAS / "gone.json"
    changed.write_text("asyncapi: 2.0.0\n")
    missing.unlink()
    stray.write_text("{}")
    found = [changed, stray, missing]
    assert [tmp_path / path for path in generated.drift(tmp_path)] == found
    assert len(generated.write(tmp_path)) == 3
    assert generated.drift(tmp_path) == []
    assert not stray.exists()


def references(value: Any) -> Iterator[str]:
    """Give every `$ref` in a document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_asyncapi_refers_to_what_exists() -> None:
    """Every reference of the document leads somewhere, in it or to a schema file."""
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    for reference in references(ASYNCAPI):
        file, _, pointer = reference.partition("#")
        if file:
            assert (REPO_ROOT / "proto" / file).exists()
        target: Any = ASYNCAPI
        for part in filter(None, pointer.split("/")):
            target = target[part]
        assert target


def test_asyncapi_declares_every_parameter_of_an_address() -> None:
    """Addresses hold parameters and no placeholder that was left."""
    for channel in ASYNCAPI["channels"].values():
        address = channel["address"]
        if address is not None:
            assert re.fullmatch(r"hive(\.([a-z_-]+|\{\w+\}))+", address)
            assert set(re.findall(r"\{(\w+)\}", address)) == set(channel.get("parameters", {}))


def test_asyncapi_has_every_question() -> None:
    """Each verb and endpoint is a channel with a reply."""
    names = {f"control_{verb.name}" for verb in verbs()}
    names |= {f"rpc_{one.service}_{one.name}".replace("-", "_") for one in endpoints()}
    assert len(names) > 15
    assert names | {f"{name}_reply" for name in names} <= set(ASYNCAPI["channels"])


def allowed(patterns: tuple[str, ...], subject: str) -> bool:
    """Whether a subject is within patterns with NATS wildcards."""
    for pattern in patterns:
        expression = re.escape(pattern).replace(r"\*", "[^.]+").replace(">", ".+")
        if re.fullmatch(expression, subject):
            return True
    return False


@pytest.mark.parametrize("operation", ASYNCAPI["operations"])
def test_nats_lets_each_service_do_what_it_does(operation: str) -> None:
    """The permissions of the service's NATS user cover what AsyncAPI says it sends and receives.
    Streams are read by consumers, which need no subscription.
    """
    said = ASYNCAPI["operations"][operation]
    (user,) = [one for one in USERS if one.name == said["tags"][0]["name"]]
    channel = ASYNCAPI["channels"][said["channel"]["$ref"].rpartition("/")[2]]
    subject = re.sub(r"\{(\w+)\}", r"\1", channel["address"])
    if said["action"] == "send" and operation == "gateway_send_event":
        subject = subject.replace("category", "audit")  # only categories of its own
    if said["action"] == "send":
        assert allowed(user.publish, subject)
    elif "Stored in" not in channel["description"]:
        assert allowed(user.subscribe, subject)
