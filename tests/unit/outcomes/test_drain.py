"""The miner of patterns on messages of many programs: what belongs together is together."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from shared.outcomes.drain import Drain, similarity
from shared.outcomes.messages import ANY, tokens_of

MESSAGES = (
    "ssh: connect to host {host} port {port}: Connection refused",
    "ssh: connect to host {host} port {port}: Connection timed out",
    "Permission denied (publickey,password).",
    "curl: (7) Failed to connect to {host} port {port} after {ms} ms: Couldn't connect to server",
    "curl: (28) Operation timed out after {ms} milliseconds with 0 bytes received",
    "curl: (22) The requested URL returned error: {code}",
    'psql: error: FATAL: database "{name}" does not exist',
    'psql: error: FATAL: password authentication failed for user "{name}"',
    'ERROR: relation "{name}" does not exist at character {port}',
    "rsync: connection unexpectedly closed ({port} bytes received so far)",
    "rsync error: error in rsync protocol data stream (code {code}) at io.c({port})",
    "tar: {path}: Cannot open: No such file or directory",
    "cp: cannot stat '{path}': No such file or directory",
    "mkdir: cannot create directory '{path}': Permission denied",
    "mv: cannot move '{path}' to '{path}': No space left on device",
    'Error response from daemon: No such container: "{name}"',
    "Error response from daemon: driver failed on {name} ({id}): {port} is already allocated",
    'Error from server (NotFound): deployments.apps "{name}" not found',
    "error: deployment {name} exceeded its progress deadline",
    "Unable to connect to the server: dial tcp {ip}:{port}: i/o timeout",
    "Job for {name}.service failed because the control process exited with error code.",
    "E: Could not get lock {path}. It is held by process {port} (apt-get)",
    "E: Unable to locate package {name}",
    "fatal: unable to access '{url}': Could not resolve host: {host}",
    "fatal: couldn't find remote ref {name}",
    "ModuleNotFoundError: No module named '{name}'",
    "ConnectionResetError: [Errno 104] Connection reset by peer",
    "OSError: [Errno 28] No space left on device: '{path}'",
    "exit status {code}",
    "killed by signal 9",
    "HTTP status {code} from {url}",
    "certificate verify failed: certificate has expired (_ssl.c:{port})",
)
NAMES = ("billing", "orders", "cart", "search", "mailer", "importer", "gateway", "billing-db")


def filled(message: str, draw: random.Random) -> str:
    """The message with values."""
    name = draw.choice(NAMES)
    return message.format(
        host=f"{name}.example.org",
        ip=f"10.{draw.randrange(255)}.{draw.randrange(255)}.7",
        port=draw.randrange(1, 65_000),
        ms=draw.randrange(1, 90_000),
        code=draw.choice([1, 2, 12, 126, 403, 404, 500, 503]),
        name=name,
        path=f"/srv/{name}/{draw.randrange(999)}/data.{draw.choice(['db', 'log'])}",
        id=f"{draw.getrandbits(160):040x}",
        url=f"https://{name}.example.org/{draw.randrange(99)}",
    )


def test_messages_of_many_programs() -> None:
    """Of 32 messages, each with 40 different values and mixed: every message is one pattern, and no
    pattern has two messages."""
    draw = random.Random(1)
    made = [
        (kind, filled(MESSAGES[kind], draw)) for kind in range(len(MESSAGES)) for _ in range(40)
    ]
    draw.shuffle(made)
    drain = Drain()
    patterns: dict[int, Counter[int]] = defaultdict(Counter)
    for kind, message in made:
        patterns[kind][drain.add(("failed", *tokens_of(message)))] += 1
    split = [kind for kind, found in patterns.items() if len(found) > 1]
    shared = Counter(number for found in patterns.values() for number in found)
    assert [MESSAGES[kind] for kind in split] == []
    assert [drain.patterns[number] for number, kinds in shared.items() if kinds > 1] == []


@given(st.lists(st.text(alphabet="ab <>12", max_size=12), max_size=40))
def test_what_is_saved_goes_on_as_the_original(messages: list[str]) -> None:
    """A copy by way of JSON gives the same numbers for whatever comes."""
    drain = Drain()
    half = len(messages) // 2
    for message in messages[:half]:
        drain.add(tokens_of(message))
    copy = Drain.restored(json.loads(json.dumps(drain.state())))
    for message in messages[half:]:
        assert copy.add(tokens_of(message)) == drain.add(tokens_of(message))
    assert copy.state() == drain.state()


@given(st.lists(st.text(alphabet="abc 1", max_size=10), min_size=1, max_size=30))
def test_what_was_added_is_found(messages: list[str]) -> None:
    """The last message that was added is found as the pattern that took it."""
    drain = Drain()
    for message in messages:
        number = drain.add(tokens_of(message))
        found = drain.find(tokens_of(message))
        assert found is not None
        assert found.number == number


@given(st.lists(st.sampled_from(["a", "b", ANY]), max_size=8))
def test_a_pattern_is_like_itself(tokens: list[str]) -> None:
    """It is wholly like itself, and half like a message that has other words for its values."""
    assert similarity(tokens, tokens) == 1.0
    others = ["z" if token == ANY else token for token in tokens]
    assert similarity(tokens, others) >= 0.5
