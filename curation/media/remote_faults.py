"""Say in words why an address could not be read."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from assay.curation.media.addresses import host_of
from assay.curation.media.files import MAX_BYTES

LOCAL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # faults of this machine's disk
DENIED = (401, 403)
CHANGED = (412, 416)  # the file is not the one that was asked for, or shorter
OTHER = "has changed since it was read first (its ETag is another): import its source again"
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
RIGHTS = "are there credentials for it, with the right to list, read, write and delete?"
SIGNED = "are there credentials for it? a signed address expires: import its source again with a fresh one"


class TooLarge(Exception):
    """A file is larger than any that is read."""


class Refused(OSError):
    """An address leads where nothing is fetched from."""


class Fault(NamedTuple):
    """Why an address could not be read."""

    reason: str
    passing: bool = False  # trying again may help
    of_host: bool = False  # its host cannot be reached at all: nor can its other addresses be
    denied: bool = False  # there is no permission, nor is there for the others of its bucket
    missing: bool = False  # there is nothing by its name

    @property
    def everywhere(self) -> bool:
        """Whether the other addresses of its bucket cannot be read either."""
        return self.of_host or self.denied


def describe_fault(error: BaseException, address: str, done: str = "read") -> Fault:
    """Describe what kept an address from being read, or from what else was to be `done`.

    The message of a library is not repeated: it may hold a signature.
    """
    chain = list(list_causes(error))
    for e in chain:
        if isinstance(e, TooLarge):
            return Fault(f"is larger than {MAX_BYTES >> 20} MB")
        if isinstance(e, Refused):
            return Fault(f"leads to {e}, from where nothing is fetched")
        if isinstance(e, FileNotFoundError):
            return Fault("is not there (404)", missing=True)
    if any(code_of(e) in EXPIRED for e in chain):
        return Fault(
            f"may not be {done} any more: the credentials have expired; renew them, and go on as before",
            denied=True,
        )
    if any(code_of(e) == "RequestTimeTooSkewed" for e in chain):
        late = "this machine's clock is wrong by over 15 minutes: set it, and go on as before"
        return Fault(f"may not be {done} ({host_of(address)} says that {late})", denied=True)
    status = next(filter(None, map(status_of, chain)), None)
    if status in DENIED or any(isinstance(e, PermissionError) for e in chain):
        ask = SIGNED if done == "read" else RIGHTS
        return Fault(f"may not be {done} ({status or 403}); {ask}", denied=True)
    if status in CHANGED:
        return Fault(OTHER)
    if status:
        passing = status >= 500 or status in (408, 425, 429)
        what = "sent" if done == "read" else done
        return Fault(f"was not {what} ({host_of(address)} answered {status})", passing)
    if is_one_of(chain, "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"):
        return Fault(
            "needs credentials, found none: AWS_PROFILE or AWS_ACCESS_KEY_ID say which; "
            "a public bucket: FSSPEC_S3='{\"anon\": true}'",
            denied=True,
        )
    if any(isinstance(e, ssl.SSLError) for e in chain):
        return Fault(f"cannot be {done}: {host_of(address)} has no valid certificate")
    unknown = any(isinstance(e, socket.gaierror) for e in chain)
    if unknown or is_one_of(chain, "ClientConnectorDNSError"):
        return Fault(f"cannot be {done}: no host is called {host_of(address)} (DNS)", True, True)
    if any(isinstance(e, TimeoutError) for e in chain) or is_one_of(chain, "FSTimeoutError"):
        late = is_one_of(chain, "ConnectionTimeoutError", "ConnectTimeoutError")
        return Fault(f"did not come in time from {host_of(address)} (timeout)", True, late)
    if is_one_of(
        chain, "ClientConnectorError", "EndpointConnectionError", "ConnectionRefusedError"
    ):
        return Fault(f"cannot be {done}: {host_of(address)} cannot be reached", True, True)
    if is_one_of(
        chain, "InvalidURL", "NonHttpUrlClientError", "TooManyRedirects", "ParamValidationError"
    ):
        return Fault(f"cannot be {done}: the address, or where it leads to, is none")
    passing = isinstance(error, OSError) or is_one_of(
        chain, "ClientError", "ClientPayloadError", "ServerDisconnectedError", "HTTPClientError"
    )
    return Fault(f"cannot be {done} ({type(error).__name__})", passing)


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """List an error and what caused it."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def status_of(error: BaseException) -> int | None:
    """Find the status that a server answered, in an error."""
    status = None
    if is_one_of([error], "ClientResponseError", "HttpError"):
        status = getattr(error, "status", None) or getattr(error, "code", None)
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    elif response is not None:
        status = getattr(response, "status_code", None)
    return status if isinstance(status, int) and 400 <= status < 600 else None


def code_of(error: BaseException) -> str:
    """Find the word by which S3 names an error, "" for none."""
    response = getattr(error, "response", None)
    told = response.get("Error") if isinstance(response, dict) else None
    return str(told.get("Code", "")) if isinstance(told, dict) else ""


def is_one_of(chain: list[BaseException], *names: str) -> bool:
    """Whether an error is of a class of these names."""
    return any(cls.__name__ in names for e in chain for cls in type(e).__mro__)


def is_local(error: BaseException) -> bool:
    """Whether it is this machine's disk that failed."""
    return any(isinstance(e, OSError) and e.errno in LOCAL for e in list_causes(error))
