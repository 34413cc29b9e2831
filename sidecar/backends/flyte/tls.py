"""Whom to trust at the other end of a TLS connection."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from sidecar.backends.flyte.endpoint import Deployment, split
from sidecar.backends.flyte.transport import CallFailed

PATIENCE = 10.0
"""Seconds that a server is given to show its certificate."""


class Trusted(Struct, frozen=True):
    """What a server must show.

    Attributes
    ----------
    certificates
        In PEM, what its certificate must come from; None stands for the system's.
    name
        The name that it must have, where that is not the host's.
    """

    certificates: bytes | None = None
    name: str | None = None


def trusted_by(deployment: Deployment) -> Trusted:
    """Find out whom the deployment's user trusts. Blocks where the server is to be asked.

    Raises
    ------
    CallFailed
        If the file of certificates cannot be used, or the server shows none.
    """
    if deployment.ca_cert_file is not None:
        return Trusted(_read(deployment.ca_cert_file))
    if deployment.insecure_skip_verify:
        return _shown(deployment)
    return Trusted(_system())


def _read(path: str) -> bytes:
    try:
        text = Path(path).expanduser().read_bytes()
        ssl.create_default_context().load_verify_locations(cadata=text.decode("ascii"))
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        reason = getattr(error, "strerror", None) or error
        raise CallFailed(
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
    bundle = Path(ssl.get_default_verify_paths().capath or "") / "ca-certificates.crt"
    return bundle.read_bytes() if bundle.is_file() else None


def _shown(deployment: Deployment) -> Trusted:
    """Take what the server shows for the truth from now on."""
    host, port = split(deployment.address)
    try:
        seen = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        seen.check_hostname = False
        seen.verify_mode = ssl.CERT_NONE
        with _connected(seen, host, port) as connection:
            shown = _chain(connection)
        # Only of a certificate that was verified does Python tell the names.
        pinned = ssl.create_default_context(cadata=_pem(shown).decode())
        pinned.check_hostname = False
        pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with _connected(pinned, host, port) as connection:
            names = connection.getpeercert()
    except OSError as error:
        raise CallFailed(
            "UNAVAILABLE", f"{deployment.address} shows no certificate: {error}"
        ) from None
    return Trusted(_pem(shown), _name_in(names or {}))


def _connected(context: ssl.SSLContext, host: str, port: int | None) -> ssl.SSLSocket:
    plain = socket.create_connection((host, port), timeout=PATIENCE)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _chain(connection: ssl.SSLSocket) -> list[bytes]:
    """Give all certificates that the server showed; its own alone before Python 3.13."""
    if sys.version_info >= (3, 13):
        return connection.get_unverified_chain()
    own = connection.getpeercert(binary_form=True)
    return [own] if own else []


def _pem(certificates: list[bytes]) -> bytes:
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode()


def _name_in(certificate: Any) -> str | None:
    """Give a name that the certificate is good for; the first one does as well as any."""
    names = [name for _, name in certificate.get("subjectAltName", ())]
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    names += [name for kind, name in subject if kind == "commonName"]
    return names[0].replace("*", "any", 1) if names else None
