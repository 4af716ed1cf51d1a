"""A small real HTTP/1.1 server in this process, with the routes that tests need, and TLS."""

import asyncio
import contextlib
import datetime
import gzip
import ipaddress
import json
import ssl
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _deflated(data: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


def _much_in_little() -> bytes:
    """100 MB, packed without ever being in memory."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    piece = bytes(1_000_000)
    return b"".join(packer.compress(piece) for _ in range(100)) + packer.flush()


PACKED: dict[str, tuple[bytes, str]] = {
    "gzip": (gzip.compress(b"unpacked"), "gzip"),
    "members": (gzip.compress(b"unp") + gzip.compress(b"acked"), "x-gzip"),
    "deflate": (_deflated(b"unpacked", zlib.MAX_WBITS), "deflate"),
    "raw-deflate": (_deflated(b"unpacked", -zlib.MAX_WBITS), "Deflate"),
    "named-plain": (b"unpacked", "identity"),
    "nested": (gzip.compress(_much_in_little()), "gzip, gzip"),
    "unknown": (b"unpacked", "br"),
    "cut": (gzip.compress(b"unpacked")[:-4], "gzip"),
    "no-gzip": (b"unpacked", "gzip"),
}
"""Bodies by name, and what they say of their encoding. The nested one has less than a kilobyte."""


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpServer:
    """Where it listens, and what it was asked."""

    port: int = 0
    scheme: str = "http"
    requests: list[Seen] = field(default_factory=list)
    slow_arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@contextlib.asynccontextmanager
async def running_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    """A server on a free port of the loopback interface."""
    server = HttpServer(scheme="https" if tls else "http")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await _read(reader)
            server.requests.append(request)
            await _answer(request, writer, server)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, target, headers, body)


async def _answer(  # noqa: C901, PLR0912 - a table of routes
    request: Seen, writer: asyncio.StreamWriter, server: HttpServer
) -> None:
    path = request.target.split("?")[0]
    match path.split("/")[1:]:
        case ["echo"]:
            content = {
                "method": request.method,
                "target": request.target,
                "headers": request.headers,
                "body": request.body.decode(),
            }
            await _send(writer, 200, json.dumps(content).encode(), "application/problem+json")
        case ["status", code]:
            await _send(writer, int(code), b"status page")
        case ["redirect", count] if int(count):
            await _redirect(writer, f"/redirect/{int(count) - 1}")
        case ["redirect", _]:
            await _send(writer, 200, b"arrived")
        case ["elsewhere"]:
            await _redirect(writer, server.url("/echo", host="localhost"))
        case ["metadata"]:
            await _redirect(writer, "http://169.254.169.254/latest/")
        case ["ftp"]:
            await _redirect(writer, "ftp://127.0.0.1/")
        case ["large", size]:
            await _send(writer, 200, b"y" * int(size))
        case ["bomb"]:
            packed = gzip.compress(b"z" * 20_000_000)
            await _send(writer, 200, packed, extra="Content-Encoding: gzip\r\n")
        case ["packed", name]:
            body, encoding = PACKED[name]
            await _send(writer, 200, body, extra=f"Content-Encoding: {encoding}\r\n")
        case ["bytes"]:
            await _send(writer, 200, bytes(range(256)), "application/octet-stream")
        case ["notjson"]:
            await _send(writer, 200, b"{oops", "application/json")
        case ["cookie"]:
            await _send(writer, 200, b"ok", extra="Set-Cookie: session=12345678\r\nX-A: b\r\n")
        case ["slow"]:
            server.slow_arrived.set()
            await asyncio.sleep(600)
        case ["broken"]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
        case _:
            await _send(writer, 404, b"nothing here")


async def _redirect(writer: asyncio.StreamWriter, location: str) -> None:
    await _send(writer, 302, b"", extra=f"Location: {location}\r\n")


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    content_type: str = "text/plain; charset=utf-8",
    extra: str = "",
) -> None:
    head = (
        f"HTTP/1.1 {status} Said\r\nContent-Type: {content_type}\r\n{extra}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


def self_signed(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that nobody has signed, and a server context that uses it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.2")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = directory / "cert.pem", directory / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context
