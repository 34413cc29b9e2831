"""The network between this machine and a deployment, step by step."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from flyte_sidecar.backends.flyte import Deployment
from flyte_sidecar.backends.flyte.endpoint import split_endpoint
from flyte_sidecar.backends.flyte.rpc import tls, tunnel
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.cli.checks.finding import Finding, failed, ok, skipped, warning
from flyte_sidecar.cli.checks.run import in_thread

CONNECT_TIMEOUT = 5.0
"""Seconds for a connection, and for TLS on it."""

TIME_TIMEOUT = 2.0
"""Seconds for the response that contains the deployment's time."""

MAX_SKEW = 60.0
"""Seconds by which the clocks may differ."""

MAX_ADDRESSES = 3
"""Maximum number of addresses that are shown."""

_CERTIFICATE_ADVICE = {
    9: "set the clock of this machine; else the certificate is not valid yet",
    10: "the deployment's administrators must renew it; or the clock of this machine is wrong",
    62: "use the host name of the certificate as endpoint; --insecure-skip-verify accepts any",
    64: "use the host name of the certificate as endpoint; --insecure-skip-verify accepts any",
}
"""What to do by OpenSSL's error of a certificate: not yet valid, expired, another host or IP."""

_UNTRUSTED_ADVICE = (
    "get the certificate of the CA that signed it (the deployment's, or that of a proxy that"
    " inspects TLS), and name its PEM file: --ca-cert-file PATH, or admin.caCertFilePath"
)


class NetworkChecks:
    """The checks of the way to a deployment; each is skipped if an earlier one has failed.

    Attributes
    ----------
    works
        Whether none has failed so far.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._proxy = deployment.proxy
        self._host, self._port = split_endpoint(deployment.address)
        if self._proxy is not None:
            self._host, self._port = self._proxy.host, self._proxy.port
        self._addresses: list[str] = []
        self.works = True

    def _failed(self, name: str, detail: str, advice: str) -> list[Finding]:
        self.works = False
        return [failed(name, detail, advice)]

    async def check_name(self) -> Sequence[Finding]:
        """Return the addresses of the host, or of the proxy, which resolves the host itself."""
        host = self._host
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                found = await in_thread(
                    lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                )
        except TimeoutError:
            detail = f"{host}: the name server has not responded within {CONNECT_TIMEOUT:g} s"
            return self._failed("name", detail, "check the network of this machine, or its VPN")
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a host name"
            advice = "check the spelling; the names of private networks need their VPN"
            if self._proxy is not None:
                advice = f"check {self._proxy.variable}, which selects this proxy"
            return self._failed("name", f"{host} cannot be resolved: {reason}", advice)
        self._addresses = [*dict.fromkeys(str(each[4][0]) for each in found)]
        if self._addresses == [host]:
            return []
        return [ok("name", f"{host} is {', '.join(self._addresses[:MAX_ADDRESSES])}")]

    async def check_connection(self) -> Sequence[Finding]:
        """Return whether the port, or the proxy, accepts connections."""
        if not self.works:
            return []
        name = self._deployment.route
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._connect()
        except TimeoutError:
            detail = f"{name} has not responded within {CONNECT_TIMEOUT:g} s"
            advice = "a firewall may drop the packets: check the VPN, and the port"
            return self._failed("connection", detail, self._via(advice))
        except tunnel.ProxyFailed as error:
            return self._failed("connection", f"{name}: {error}", self._via_proxy(str(error)))
        except ConnectionRefusedError:
            advice = "check the port, and that the deployment runs (without a port: 443, or 80 with"
            advice += " --insecure; a devbox: --endpoint localhost:30080 --insecure)"
            return self._failed("connection", f"{name} refuses connections", self._via(advice))
        except OSError as error:
            detail = f"{name} cannot be reached: {_reason(error)}"
            advice = "check the network of this machine, or its VPN"
            return self._failed("connection", detail, self._via(advice))
        return [ok("connection", f"{name} accepts connections")]

    async def _connect(self) -> None:
        """Connect to any of the addresses, or through the proxy; raise the last error."""
        if self._proxy is not None:
            _, writer = await tls.connect(None, self._deployment)
            writer.transport.abort()
            return
        connecting = [
            asyncio.ensure_future(asyncio.open_connection(address, self._port))
            for address in self._addresses
        ]
        error: OSError | None = None
        try:
            for connection in asyncio.as_completed(connecting):
                try:
                    await connection
                    return
                except OSError as failure:
                    error = failure
        finally:
            for task in connecting:
                task.add_done_callback(_disconnect)
                task.cancel()
        assert error is not None
        raise error

    async def check_tls(self) -> Sequence[Finding]:
        """Return whether the certificate of the deployment is trusted, and its time."""
        if not self.works:
            return []
        try:
            async with asyncio.timeout(2 * CONNECT_TIMEOUT):
                context = await self._context()
                reader, writer = await tls.connect(context, self._deployment)
        except RpcError as error:
            advice = "check --ca-cert-file, or admin.caCertFilePath in the config"
            if self._deployment.ca_cert_file is None:
                advice = "check that the endpoint and its port use TLS"
            return self._failed("TLS", error.message, advice)
        except TimeoutError:
            detail = f"no TLS connection within {2 * CONNECT_TIMEOUT:g} s"
            advice = "if the port does not use TLS, add --insecure; else the deployment hangs"
            return self._failed("TLS", detail, advice)
        except OSError as error:
            return self._failed("TLS", *_tls_failure(error))
        try:
            certificate = writer.get_extra_info("peercert")
            return [self._tls(certificate), await self._check_clock(reader, writer)]
        finally:
            writer.transport.abort()

    async def uses_tls(self) -> bool:
        """Return whether a deployment to which the config connects without TLS requires it."""
        if not self._deployment.insecure:
            return False
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, writer = await tls.connect(tls.unverified_context(), self._deployment)
            writer.transport.abort()
            return True
        return False

    async def _context(self) -> ssl.SSLContext | None:
        if self._deployment.insecure:
            return None
        return tls.context_of(await tls.load_trust(self._deployment))

    def _tls(self, certificate: dict[str, Any] | None) -> Finding:
        deployment = self._deployment
        if deployment.insecure:
            return ok("TLS", "not used, because the connection is insecure")
        if deployment.ca_cert_file is not None:
            trust = f"with the CA certificates in {deployment.ca_cert_file}"
        elif deployment.insecure_skip_verify:
            return warning(
                "TLS",
                "the certificate is not verified, so that others may read and change requests",
                "name the file with the certificate of its CA instead: --ca-cert-file PATH",
            )
        else:
            trust = "with the CA certificates of the system"
        return ok("TLS", f"trusted {trust}{_validity(certificate)}")

    async def _check_clock(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Finding:
        """Return how far the clocks differ, by the time in the head of an HTTP response."""
        lines = [
            "HEAD / HTTP/1.1",
            f"Host: {self._deployment.address}",
            "Connection: close",
            "",
            "",
        ]
        writer.write("\r\n".join(lines).encode())
        theirs = None
        try:
            async with asyncio.timeout(TIME_TIMEOUT):
                theirs = _date(await reader.readuntil(b"\r\n\r\n"))
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            pass
        if theirs is None:
            return skipped("clock", "the deployment does not report its time")
        skew = (datetime.now(UTC) - theirs).total_seconds()
        if abs(skew) <= MAX_SKEW:
            return ok("clock", f"at most {max(1, round(abs(skew)))} s from the deployment's")
        way = "ahead of" if skew > 0 else "behind"
        detail = f"this machine's clock is {abs(skew):.0f} s {way} the deployment's"
        advice = "synchronize the clock: logins, certificates and ages are wrong (timedatectl)"
        return warning("clock", detail, advice)

    def _via(self, advice: str) -> str:
        """Return the advice, or that of the proxy if there is one."""
        return advice if self._proxy is None else self._via_proxy("")

    def _via_proxy(self, reason: str) -> str:
        assert self._proxy is not None
        variable, host = self._proxy.variable, split_endpoint(self._deployment.address)[0]
        if " 407" in reason:
            return f"put the user and the password for the proxy into {variable}"
        return (
            f"check {variable}, which selects the proxy, and that it may connect to this port;"
            f" NO_PROXY={host} reaches the deployment without it"
        )


def _disconnect(connection: asyncio.Future[tuple[Any, asyncio.StreamWriter]]) -> None:
    if not connection.cancelled() and connection.exception() is None:
        connection.result()[1].transport.abort()


def _tls_failure(error: OSError) -> tuple[str, str]:
    """Return why there is no TLS connection, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _CERTIFICATE_ADVICE.get(error.verify_code, _UNTRUSTED_ADVICE)
        return f"the certificate is not accepted: {error.verify_message}", advice
    plaintext = "if this port does not use TLS, add --insecure (admin.insecure: true)"
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            return "the server does not use TLS", "add --insecure, or use another port"
        return f"the TLS handshake failed: {error.reason or _reason(error)}", plaintext
    return f"the connection broke during the TLS handshake: {_reason(error)}", plaintext


def _validity(certificate: dict[str, Any] | None) -> str:
    """Return the last day on which a certificate is valid."""
    if not certificate:
        return ""
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    return f", valid until {until:%Y-%m-%d}"


def _date(head: bytes) -> datetime | None:
    """Return the date in the head of an HTTP response."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"date":
            with suppress(ValueError):
                found = parsedate_to_datetime(value.decode("ascii", "replace").strip())
                return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _reason(error: OSError) -> str:
    """Return why a connection failed; asyncio replaces the text of system errors."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
