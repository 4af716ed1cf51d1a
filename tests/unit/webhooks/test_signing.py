"""Signatures, envelopes and the schedule of retries."""

import json
import time

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from services.gateway.webhooks.envelope import body_of, delivery_id
from services.gateway.webhooks.schedule import RETRY_AFTER_LIMIT_S, RetrySchedule
from services.gateway.webhooks.signing import new_secret, signed_headers
from shared.contracts.events import PublicEvent


def test_the_library_of_the_specification_agrees() -> None:
    """What is signed here is verified there, for any text."""
    secret, body = new_secret(), '{"text": "żółw \\n 🐢"}'.encode()
    headers = signed_headers([secret], "msg_1", int(time.time()), body)
    assert Verifier(secret).verify(body, headers) == json.loads(body)


def test_a_receiver_with_either_secret_is_content() -> None:
    """While two secrets are in use the headers satisfy the library with each, and no other."""
    new, old, other, body = new_secret(), new_secret(), new_secret(), b"{}"
    headers = signed_headers([new, old], "msg_1", int(time.time()), body)
    for secret in (new, old):
        assert Verifier(secret).verify(body, headers) == {}
    with pytest.raises(WebhookVerificationError):
        Verifier(other).verify(body, headers)


def test_secrets_are_long_and_never_the_same() -> None:
    """256 random bits each."""
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {len("whsec_") + 44}


def test_attributes_without_a_value_are_left_out() -> None:
    """CloudEvents knows no null; an event of no execution has no subject."""
    event = PublicEvent(id="e1", type="agent.joined", at_ms=1_700_000_000_123, data={"x": None})
    assert json.loads(body_of(event, "urn:x")) == {
        "specversion": "1.0",
        "id": "e1",
        "source": "urn:x",
        "type": "hive.agent.joined",
        "time": "2023-11-14T22:13:20.123Z",
        "datacontenttype": "application/json",
        "data": {"x": None},
    }


def test_a_delivery_has_one_id_for_ever() -> None:
    """The id follows from event and webhook, and holds no full stop: the signed text has those."""
    assert delivery_id("wh_1", "ex_1.2") == delivery_id("wh_1", "ex_1.2")
    assert delivery_id("wh_1", "ex_1.2") != delivery_id("wh_2", "ex_1.2")
    assert "." not in delivery_id("wh_1", "ex_1.2")


def test_delays_grow_and_end() -> None:
    """Each failed attempt has its delay, give or take a fifth; after the last there is none."""
    middle = RetrySchedule((5, 30), lambda: 0.5)
    assert [middle.delay_ms(n) for n in (1, 2, 3)] == [5_000, 30_000, None]
    assert RetrySchedule((10,), lambda: 0.0).delay_ms(1) == 8_000
    assert RetrySchedule((10,), lambda: 1.0).delay_ms(1) == 12_000


def test_a_receiver_may_ask_for_more_time() -> None:
    """The longer of the two delays counts, within a bound; nobody can hasten or revive."""
    schedule = RetrySchedule((60,), lambda: 0.5)
    assert schedule.delay_ms(1, retry_after_s=1) == 60_000
    assert schedule.delay_ms(1, retry_after_s=120) == 120_000
    assert schedule.delay_ms(1, retry_after_s=10**9) == RETRY_AFTER_LIMIT_S * 1_000
    assert schedule.delay_ms(2, retry_after_s=120) is None
