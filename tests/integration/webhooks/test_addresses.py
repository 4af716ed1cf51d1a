"""DNS rebinding: a name that changes its mind reaches nothing that was not checked.

On one machine every address is a loopback one: `PUBLIC` stands for a public one, and the rules of
the product hold for all others.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.gateway.webhooks.sending import Sender, Sent
from services.gateway.webhooks.targets import TargetRules
from shared.net.addresses import Address
from shared.net.pinned_http import PinnedTransport
from shared.runtime.clock import SystemClock
from tests.contract.webhooks.samples import queued
from tests.integration.webhooks.receiver import Receiver, running_receiver

PUBLIC = "127.0.0.2"
INTERNAL = "127.0.0.1"
SECRETS = ["whsec_eHg="]


class FickleName:
    """A name server that answers differently each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(self, host: str) -> list[Address]:
        self.asked.append(host)
        return [ipaddress.ip_address(one) for one in self._answers.pop(0)]


def check(host: str, address: Address) -> None:
    if str(address) != PUBLIC:
        TargetRules().check_address(host, address)


@pytest_asyncio.fixture
async def internal() -> AsyncIterator[Receiver]:
    """A service that must not be reached."""
    async with running_receiver(INTERNAL) as running:
        yield running


@pytest_asyncio.fixture
async def public(internal: Receiver) -> AsyncIterator[Receiver]:
    """A receiver at the same port as the internal service."""
    async with running_receiver(PUBLIC, internal.port) as running:
        yield running


async def sent(
    url: str, name: FickleName, tls: ssl.SSLContext | None = None, timeout_s: float = 5.0
) -> Sent:
    """One attempt at a name."""
    transport = PinnedTransport(check, name.resolve, tls)
    sender = Sender(TargetRules(allow_http=True), timeout_s, SystemClock(), transport)
    try:
        return await sender.send(url, SECRETS, queued(1).delivery, "{}")
    finally:
        await sender.close()


async def test_a_name_is_resolved_once_for_an_attempt(public: Receiver, internal: Receiver) -> None:
    """The connection goes to the address that was checked, though the name by now stands for an
    internal one; the receiver sees the name it was called by."""
    name = FickleName([PUBLIC], [INTERNAL])
    went = await sent(f"http://rebind.example:{public.port}/hook", name)
    assert went.arrived, went.attempt.error
    assert name.asked == ["rebind.example"]
    (received,) = public.received
    assert received.headers["host"] == f"rebind.example:{public.port}"
    assert internal.received == []


async def test_every_attempt_checks_anew(public: Receiver, internal: Receiver) -> None:
    """A name that has come to stand for an internal address is not called any more."""
    name = FickleName([PUBLIC], [INTERNAL])
    url = f"http://rebind.example:{public.port}/hook"
    assert (await sent(url, name)).arrived
    refused = await sent(url, name)
    assert (
        refused.attempt.error == f"not called: rebind.example is at {INTERNAL}, a loopback address"
    )
    assert internal.received == []


@pytest.mark.parametrize("answer", [[PUBLIC, INTERNAL], [INTERNAL, PUBLIC], [PUBLIC, "::1"]])
async def test_one_internal_address_spoils_a_name(
    public: Receiver, internal: Receiver, answer: list[str]
) -> None:
    """A name that stands for a public and an internal address at once is not called at all."""
    went = await sent(f"http://mixed.example:{public.port}/hook", FickleName(answer))
    assert went.attempt.error.startswith("not called: mixed.example is at")
    assert public.received == internal.received == []


async def test_a_redirect_leads_nowhere(public: Receiver, internal: Receiver) -> None:
    """A receiver cannot send an attempt on to an internal address."""
    public.answers.append(307)
    public.answer_headers["location"] = internal.url
    went = await sent(f"http://lead.example:{public.port}/hook", FickleName([PUBLIC], [INTERNAL]))
    assert "redirects are not followed" in went.attempt.error
    assert internal.received == []


async def test_tls_is_verified_for_the_name(tmp_path: Path) -> None:
    """Though the connection goes to an address, the certificate must be the name's."""
    server, client = certified(tmp_path, "hooks.example")
    async with running_receiver(PUBLIC, tls=server) as receiver:
        url = f"https://hooks.example:{receiver.port}/hook"
        assert (await sent(url, FickleName([PUBLIC]), client)).arrived
        other = f"https://other.example:{receiver.port}/hook"
        went = await sent(other, FickleName([PUBLIC]), client)
        assert "certificate" in went.attempt.error
    assert len(receiver.received) == 1


async def test_a_name_server_that_hangs_is_a_failure(public: Receiver) -> None:
    """Resolving counts into the time of an attempt."""

    class Hanging(FickleName):
        async def resolve(self, host: str) -> list[Address]:
            await asyncio.Event().wait()
            return await super().resolve(host)

    went = await sent(f"http://slow.example:{public.port}/hook", Hanging(), timeout_s=0.1)
    assert went.attempt.error == "no answer within 0.1 s"


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for a name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))
