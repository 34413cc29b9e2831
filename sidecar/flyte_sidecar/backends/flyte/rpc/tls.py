"""Which certificates a TLS connection trusts."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from flyte_sidecar._futures import run_in_thread
from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.proxy import Proxy
from flyte_sidecar.backends.flyte.rpc import tunnel
from flyte_sidecar.backends.flyte.rpc.error_translation import TLS_HANDSHAKE_FAILED
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

HANDSHAKE_TIMEOUT = 10.0
"""Time for fetching the certificate of a server, in seconds."""


_END_OF_CERTIFICATE = b"-----END CERTIFICATE-----"


class TlsTrust(Struct, frozen=True):
    """What the certificate of a server is checked against.

    Attributes
    ----------
    root_certificates
        The trusted certificates in PEM format; None for gRPC's own list.
    host_name
        The name that the certificate must have; None for the name of the host.
    pinned
        Whether only the server's current certificate is trusted.
    """

    root_certificates: bytes | None = None
    host_name: str | None = None
    pinned: bool = False


async def load_trust(deployment: Deployment) -> TlsTrust:
    """Return what to trust: a CA file, the server's current certificate, or the system's CAs.

    Raises
    ------
    RpcError
        If the CA file cannot be used, or the server's certificate cannot be fetched.
    """
    if deployment.ca_cert_file is not None:
        return TlsTrust(await run_in_thread(_read_ca_file, deployment.ca_cert_file))
    if deployment.insecure_skip_verify:
        return await _pin_current_certificate(deployment)
    return TlsTrust(await run_in_thread(_system_certificates))


def context_of(trust: TlsTrust) -> ssl.SSLContext:
    """Return a context for the deployment, which verifies as gRPC does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trust.pinned:
        # Only this certificate is accepted, so its names do not matter.
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _load(context, trust.root_certificates, only_first=trust.pinned)
    return context


def context_of_others(trust: TlsTrust | None) -> ssl.SSLContext:
    """Return a context for other hosts: the system's certificates and those of a CA file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, _system_certificates())
    if trust is not None and trust.root_certificates is not None and not trust.pinned:
        _load(context, trust.root_certificates)
    return context


def unverified_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _load(context: ssl.SSLContext, pem: bytes | None, *, only_first: bool = False) -> None:
    """Trust certificates in PEM format, or without them those that gRPC would."""
    if pem is None:
        context.load_verify_locations(cafile=_grpc_certificates())
        return
    if only_first:
        pem = pem[: pem.index(_END_OF_CERTIFICATE) + len(_END_OF_CERTIFICATE)]
    context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))  # comments may be UTF-8


def _grpc_certificates() -> str:
    """Return the path of gRPC's certificates; certifi's in place of its built-in ones."""
    path = os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
    if path and Path(path).is_file():
        return path
    import certifi

    return certifi.where()


def _read_ca_file(path: str) -> bytes:
    try:
        file = Path(path)
        if not file.is_file() and file.exists():  # reading a FIFO would block
            raise ValueError("it is not a regular file")
        content = file.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except (OSError, ValueError) as error:
        if isinstance(error, ssl.SSLError):
            reason: object = "it must contain certificates in PEM format"
        else:
            reason = getattr(error, "strerror", None) or error
        message = f"the CA file {path} cannot be used: {reason}"
        raise RpcError("FAILED_PRECONDITION", message) from None
    return content


def _system_certificates() -> bytes | None:
    """Return the certificates that the system trusts; None for gRPC's own list."""
    if "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" in os.environ:
        return None
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if certificates:
        return _pem(certificates)
    # Python does not report a folder of certificates. Debian keeps all of them in one file too.
    folder = ssl.get_default_verify_paths().capath
    bundle = Path(folder, "ca-certificates.crt") if folder else None
    return bundle.read_bytes() if bundle and bundle.is_file() else None


async def _pin_current_certificate(deployment: Deployment) -> TlsTrust:
    """Pin the server's current certificate: trust only this one until the session is closed."""
    host, _ = split_endpoint(deployment.address)
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            handshake = await _handshake(unverified_context(), deployment)
            certificates = _certificate_chain(handshake)
            # Python reports the names in a certificate only if it has verified it.
            pinned = ssl.create_default_context(cadata=_pem(certificates).decode())
            pinned.check_hostname = False
            pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            names = (await _handshake(pinned, deployment)).getpeercert()
    except ssl.SSLError as error:
        raise RpcError("UNAVAILABLE", f"{TLS_HANDSHAKE_FAILED}: {error}") from None
    except OSError as error:  # a TimeoutError has no message
        message = str(error) or f"no TLS handshake within {HANDSHAKE_TIMEOUT:g} s"
        raise RpcError("UNAVAILABLE", message) from None
    return TlsTrust(_pem(certificates), _certified_name(names or {}, host), pinned=True)


async def connect(
    context: ssl.SSLContext | None, deployment: Deployment
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a deployment, through its proxy if it has one; without a context, without TLS.

    Raises
    ------
    OSError
        If that fails: an `ssl.SSLError` if TLS does, a `tunnel.ProxyFailed` if the proxy does.
    """
    host, port = split_endpoint(deployment.address)
    proxy = deployment.proxy
    via = (host, port) if proxy is None else (proxy.host, proxy.port)
    reader, writer = await asyncio.open_connection(*via)
    try:
        if proxy is not None:
            await _open_tunnel(reader, writer, proxy, deployment.address)
        if context is not None:
            await writer.start_tls(context, server_hostname=host)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


async def _handshake(context: ssl.SSLContext, deployment: Deployment) -> Any:
    """Return the SSLObject of a TLS handshake; the connection is closed."""
    _, writer = await connect(context, deployment)
    try:
        return writer.get_extra_info("ssl_object")
    finally:
        writer.transport.abort()


async def _open_tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: Proxy, address: str
) -> None:
    """Connect to the address through the proxy; raise OSError if the proxy does not connect."""
    writer.write(tunnel.connect_request(proxy, address))
    try:
        head = await reader.readuntil(tunnel.END_OF_HEAD)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        head = b""
    tunnel.check_connected(head)


def _certificate_chain(connection: Any) -> list[bytes]:
    """Return the certificates that the server sent; before Python 3.13, only its own."""
    if sys.version_info >= (3, 13):
        chain: list[bytes] = connection.get_unverified_chain()
        return chain
    own = connection.getpeercert(binary_form=True)
    return [own] if own else []


def _pem(certificates: list[bytes]) -> bytes:
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode()


def _certified_name(certificate: Any, host: str) -> str | None:
    """Return a name that the certificate is valid for; None if it is valid for the host."""
    names = [
        _as_in_grpc(name)
        for kind, name in certificate.get("subjectAltName", ())
        if kind in ("DNS", "IP Address")
    ]
    if not names:
        subject = [pair for part in certificate.get("subject", ()) for pair in part]
        names = [name for kind, name in subject if kind == "commonName"]
    parent = host.partition(".")[2]
    if not names or {host, f"*.{parent}"} & {name.lower() for name in names}:
        return None
    return names[0].replace("*", "any", 1)


def _as_in_grpc(name: str) -> str:
    """Return the name as gRPC compares it: ``::1``, which Python reports as ``0:0:0:0:0:0:0:1``."""
    return str(ipaddress.ip_address(name.strip())) if ":" in name else name
