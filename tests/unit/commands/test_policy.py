"""The agent's policy: what it permits, and that a refusal names its rule."""

import ipaddress
import re
import shutil
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from services.executor.policy import (
    Allowed,
    Decision,
    Policy,
    PolicyError,
    Refused,
    default_policy,
    load_policy,
)

REFERENCE = Path(__file__).parents[3] / "docs/reference/agent-policy.md"


def rule(decision: Decision) -> str:
    assert isinstance(decision, Refused)
    assert decision.message
    assert decision.fix
    return decision.rule


def policy(text: str) -> Policy:
    return Policy.model_validate(yaml.safe_load(text))


def test_default_is_open_but_for_files_and_metadata(tmp_path: Path) -> None:
    """Without a file: commands, programs, scripts; files only in the data directory."""
    default = default_policy(tmp_path)
    assert default.command("shell") == Allowed()
    assert default.executable(Path("/bin/sh")) == Allowed()
    assert default.script() == Allowed()
    assert default.path(tmp_path / "a") == Allowed()
    assert rule(default.path(Path("/etc/passwd"))) == "roots: no root contains '/etc/passwd'"


def test_deny_wins_and_is_named() -> None:
    """The index and the pattern of the deciding entry stand in the rule."""
    given = policy("commands: {allow: ['*'], deny: [http, 'hv-*', shell]}")
    assert rule(given.command("shell")) == "commands.deny[2]: 'shell'"
    assert rule(given.command("hv-sync")) == "commands.deny[1]: 'hv-*'"
    assert given.command("file") == Allowed()


def test_unlisted_is_refused() -> None:
    """What no allow entry matches is refused."""
    given = policy("commands: {allow: [file]}")
    assert rule(given.command("shell")) == "commands.allow: no entry matches 'shell'"


def test_executables_match_names_paths_and_targets(tmp_path: Path) -> None:
    """A link to a denied program is denied; a pattern without a slash is for the name."""
    target = tmp_path / "rm"
    target.touch()
    link = tmp_path / "harmless"
    link.symlink_to(target)
    given = policy("executables: {deny: [rm]}")
    assert rule(given.executable(link)) == "executables.deny[0]: 'rm'"
    assert policy(f"executables: {{allow: ['{tmp_path}/*']}}").executable(link) == Allowed()
    assert rule(policy("executables: {allow: [ls]}").executable(link)).startswith(
        "executables.allow"
    )


def test_allowed_name_is_a_program_of_the_host(tmp_path: Path) -> None:
    """A file of a step's own under an allowed name is refused; a link to the real one is not."""
    given = policy("executables: {allow: [ls]}")
    forged, link = tmp_path / "ls", tmp_path / "mine"
    forged.touch(mode=0o755)
    real = Path(shutil.which("ls") or "")
    link.symlink_to(real)
    assert rule(given.executable(forged)) == f"executables.allow: no entry matches '{forged}'"
    assert (given.executable(real), given.executable(link)) == (Allowed(), Allowed())


def test_listed_programs_get_no_loading_variables() -> None:
    """Where programs are listed, what makes one of them run other code may not be set."""
    listed = policy("executables: {allow: [ls]}")
    assert rule(listed.variable("LD_PRELOAD")) == "shell.deny_env[0]: 'LD_*'"
    assert rule(listed.variable("PATH")).endswith("'PATH'")
    assert listed.variable("LANG") == Allowed()
    assert policy("{}").variable("LD_PRELOAD") == Allowed()


def test_denied_variables_may_be_chosen() -> None:
    """A list of one's own replaces the default, in both directions."""
    given = policy("{executables: {allow: [ls]}, shell: {deny_env: [SECRET_*]}}")
    assert given.variable("LD_PRELOAD") == Allowed()
    assert rule(given.variable("SECRET_A")) == "shell.deny_env[0]: 'SECRET_*'"
    assert rule(policy("shell: {deny_env: [LD_*]}").variable("LD_A")) == "shell.deny_env[0]: 'LD_*'"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("metadata.google.internal", "203.0.113.1"),
        ("innocent.example.com", "169.254.169.254"),
        ("innocent.example.com", "::ffff:169.254.169.254"),
        ("innocent.example.com", "64:ff9b::a9fe:a9fe"),
        ("innocent.example.com", "fe80::1"),
        ("METADATA.google.internal.", "203.0.113.1"),
    ],
)
def test_metadata_is_denied_by_default(name: str, address: str) -> None:
    """The clouds' metadata services are denied by name and by address, in whatever disguise."""
    assert rule(Policy().host(name, ipaddress.ip_address(address))).startswith("http.deny_hosts[")


def test_private_addresses_can_be_denied() -> None:
    """With allow_private: false only public addresses remain."""
    given = policy("http: {allow_private: false}")
    plain = ("127.0.0.1", "10.0.0.1", "100.64.0.1", "224.0.0.1", "::1", "0.0.0.1", "fd00::1")
    in_disguise = ("::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::1")
    for address in plain + in_disguise:
        decision = given.host("host", ipaddress.ip_address(address))
        assert rule(decision) == "http.allow_private: false"
    assert given.host("host", ipaddress.ip_address("1.1.1.1")) == Allowed()
    assert Policy().host("host", ipaddress.ip_address("10.0.0.1")) == Allowed()


def test_hosts_are_listed_by_name_or_network() -> None:
    """Names by glob, addresses by network."""
    given = policy("http: {allow_hosts: ['*.example.com', 10.0.0.0/8]}")
    public = ipaddress.ip_address("1.1.1.1")
    assert given.host("api.example.com", public) == Allowed()
    assert given.host("other", ipaddress.ip_address("10.1.2.3")) == Allowed()
    assert rule(given.host("other", public)) == "http.allow_hosts: no entry matches 'other'"


def test_scripts_can_be_denied() -> None:
    """shell.allow_scripts: false."""
    assert rule(policy("shell: {allow_scripts: false}").script()) == "shell.allow_scripts: false"


def test_link_out_of_a_root_is_outside(tmp_path: Path) -> None:
    """A root that is itself a link is compared by its target."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    assert Policy(roots=(link,)).path(real / "a") == Allowed()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("comands: {}", "comands: unknown key"),
        ("commands: {alow: []}", "commands.alow: unknown key"),
        ("roots: [relative]", "roots: .*must be an absolute path"),
        ("commands: [", "is not YAML"),
        ("- a", "the file: "),
        ("shell: {allow_scripts: perhaps}", "shell.allow_scripts: "),
    ],
)
def test_bad_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    """A policy that cannot be used says in which file, at which key, and why."""
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(PolicyError, match=f"agent policy {re.escape(str(file))}: {message}"):
        load_policy(file, tmp_path)


def test_missing_file_is_explained(tmp_path: Path) -> None:
    """A missing policy file is an error, not the default policy."""
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        load_policy(tmp_path / "none.yaml", tmp_path)


def test_empty_file_is_the_default(tmp_path: Path) -> None:
    """An empty file changes nothing."""
    file = tmp_path / "policy.yaml"
    file.touch()
    assert load_policy(file, tmp_path) == default_policy(tmp_path)


def test_reference_example_loads(tmp_path: Path) -> None:
    """The example in the documentation is a valid policy."""
    (example,) = re.findall(r"```yaml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    file = tmp_path / "policy.yaml"
    file.write_text(example)
    assert rule(load_policy(file, tmp_path).command("hv-sync")) == "commands.deny[0]: 'hv-sync'"


def test_reference_names_every_key() -> None:
    """Each key of the policy is documented."""
    text = REFERENCE.read_text()
    for name, info in Policy.model_fields.items():
        model = info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            assert all(f"| `{name}.{key}` |" in text for key in model.model_fields)
        else:
            assert f"| `{name}` |" in text
