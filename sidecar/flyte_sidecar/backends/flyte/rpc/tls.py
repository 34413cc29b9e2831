"""Whom to trust at the other end of a TLS connection."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.proxy import Proxy
from flyte_sidecar.backends.flyte.rpc.transport import RpcError

HANDSHAKE_TIMEOUT = 10.0
"""Seconds that a server is given to show its certificate."""


class Trusted(Struct, frozen=True):
    """What a server must show.

    Attributes
    ----------
    certificates
        In PEM, what its certificate must come from; None stands for the system's.
    name
        The name that it must have, where the host's is not good enough.
    """

    certificates: bytes | None = None
    name: str | None = None


async def trusted_by(deployment: Deployment) -> Trusted:
    """Find out whom the deployment's user trusts; the server is asked where that decides.

    Raises
    ------
    RpcError
        If the file of certificates cannot be used, or the server shows none.
    """
    if deployment.ca_cert_file is not None:
        return Trusted(await asyncio.to_thread(_read, deployment.ca_cert_file))
    if deployment.insecure_skip_verify:
        return await _shown(deployment)
    return Trusted(await asyncio.to_thread(_system))


def _read(path: str) -> bytes:
    try:
        file = Path(path)
        text = file.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        reason = getattr(error, "strerror", None) or error
        raise RpcError(
            "FAILED_PRECONDITION", f"the CA file {path} cannot be used: {reason}"
        ) from None
    return text


def _system() -> bytes | None:
    """Give what the system trusts; None where that cannot be told, for gRPC's own list."""
    if "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" in os.environ:
        return None
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    if found:
        return _pem(found)
    # A folder that OpenSSL looks things up in is not told; Debian keeps the whole in it too.
    folder = ssl.get_default_verify_paths().capath
    bundle = Path(folder, "ca-certificates.crt") if folder else None
    return bundle.read_bytes() if bundle and bundle.is_file() else None


async def _shown(deployment: Deployment) -> Trusted:
    """Take what the server shows for the truth from now on."""
    host, _ = split_endpoint(deployment.address)
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            seen = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            seen.check_hostname = False
            seen.verify_mode = ssl.CERT_NONE
            shown = _chain(await _greeted(seen, deployment))
            # Only of a certificate that was verified does Python tell the names.
            pinned = ssl.create_default_context(cadata=_pem(shown).decode())
            pinned.check_hostname = False
            pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            names = (await _greeted(pinned, deployment)).getpeercert()
    except ssl.SSLError as error:
        words = f"{deployment.address} shows no certificate: {error}"
        raise RpcError("UNAVAILABLE", words) from None
    except OSError as error:  # it was not there; a TimeoutError has no words
        raise RpcError("UNAVAILABLE", str(error) or "it says nothing") from None
    return Trusted(_pem(shown), _name_in(names or {}, host))


async def _greeted(context: ssl.SSLContext, deployment: Deployment) -> Any:
    """Give what a TLS handshake has told: an SSLObject. The connection is not kept."""
    host, port = split_endpoint(deployment.address)
    if deployment.proxy is None:
        reader, writer = await asyncio.open_connection(host, port)
    else:
        reader, writer = await asyncio.open_connection(deployment.proxy.host, deployment.proxy.port)
    try:
        if deployment.proxy is not None:
            await _tunnel(reader, writer, deployment.proxy, deployment.address)
        await writer.start_tls(context, server_hostname=host)
        return writer.get_extra_info("ssl_object")
    finally:
        writer.transport.abort()


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: Proxy, address: str
) -> None:
    """Have the proxy connect to the address; OSError if it does not."""
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise OSError("the proxy sends no HTTP response") from None
    status = head.partition(b"\r\n")[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise OSError(f"the proxy responded {status!r}")


def _chain(connection: Any) -> list[bytes]:
    """Give all certificates that the server showed; its own alone before Python 3.13."""
    if sys.version_info >= (3, 13):
        chain: list[bytes] = connection.get_unverified_chain()
        return chain
    own = connection.getpeercert(binary_form=True)
    return [own] if own else []


def _pem(certificates: list[bytes]) -> bytes:
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode()


def _name_in(certificate: Any, host: str) -> str | None:
    """Give a name that the certificate is good for, None where it is good for the host."""
    names = [
        _as_grpc_has_it(name)
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


def _as_grpc_has_it(name: str) -> str:
    """Give a name as gRPC compares it: Python tells ``0:0:0:0:0:0:0:1`` for ``::1``."""
    return str(ipaddress.ip_address(name.strip())) if ":" in name else name
