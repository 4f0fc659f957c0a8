"""Open what reads addresses: fsspec, with bounds to time, size and reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.curation.media.addresses import WEB, check_scheme, host_of, is_link_local, scheme_of
from assay.curation.media.files import MAX_BYTES
from assay.curation.media.remote_faults import Refused, TooLarge

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

IN_FLIGHT = 32  # requests at once
PATIENCE = 30.0  # seconds in which a server must say something


def open_filesystem(address: str) -> AbstractFileSystem:
    """Open what reads an address; fsspec keeps one a scheme."""
    import fsspec

    check_scheme(address)
    scheme = scheme_of(address)
    if scheme in WEB:
        host = host_of(address)
        if is_link_local(host.rpartition(":")[0] or host) or is_link_local(host):
            raise Refused(host)
        return fsspec.filesystem(scheme, get_client=open_client, client_kwargs=web_options())
    if scheme in ("s3", "s3a"):
        bounds = dict(connect_timeout=PATIENCE, read_timeout=PATIENCE)
        options = dict(config_kwargs=dict(max_pool_connections=IN_FLIGHT, **bounds))
        return fsspec.filesystem(scheme, use_listings_cache=False, **options)
    return fsspec.filesystem(scheme, use_listings_cache=False)


def web_options() -> dict:
    from aiohttp import ClientTimeout

    return dict(
        timeout=ClientTimeout(total=20 * PATIENCE, sock_connect=PATIENCE, sock_read=PATIENCE),
        trust_env=True,  # proxies, and a .netrc
    )


async def open_client(**options: Any) -> Any:
    """Open a session that connects to no link-local address, whatever leads there."""
    import aiohttp

    async def note_answer(_session: Any, context: Any, params: Any) -> None:
        answer = context.trace_request_ctx
        if answer is not None:
            answer["status"] = params.response.status
            answer["ETag"] = params.response.headers.get("ETag", "")

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note_answer)
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT, socket_factory=open_socket)
    return aiohttp.ClientSession(connector=connector, trace_configs=[trace], **options)


def open_socket(address_info: tuple) -> Any:
    """Open a socket, unless its address is link-local.

    Here a name that resolves to one is found out, and a redirect.
    """
    import socket

    family, kind, protocol, _, place = address_info
    if is_link_local(str(place[0])):
        raise Refused(f"the link-local address {place[0]}")
    return socket.socket(family, kind, protocol)


def limit_size() -> Any:
    """Make a callback that stops a file that is too large."""
    from fsspec.callbacks import Callback

    class Limit(Callback):
        def set_size(self, size: int | None) -> None:
            self.check(size or 0)

        def relative_update(self, inc: int = 1) -> None:
            self.value += inc
            self.check(self.value)

        def check(self, size: int) -> None:
            if size > MAX_BYTES:
                raise TooLarge

    return Limit()
