"""Addresses of images that lie elsewhere: s3://, gs://, https://, ...

An address as a bench keeps it holds no secret: signatures and passwords are taken off it, and live
in this process alone.
"""

from __future__ import annotations

import ipaddress
import os
import posixpath
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from assay.curation.errors import UserError


class Scheme(NamedTuple):
    """What reads the addresses of a scheme."""

    package: str  # "" where fsspec needs no other
    extra: str  # of Assay's, that brings it; "" where there is none


SCHEMES = {
    "s3": Scheme("s3fs", "s3"),
    "s3a": Scheme("s3fs", "s3"),
    "gs": Scheme("gcsfs", "gcs"),
    "gcs": Scheme("gcsfs", "gcs"),
    "http": Scheme("aiohttp", "http"),
    "https": Scheme("aiohttp", "http"),
    "az": Scheme("adlfs", ""),
    "abfs": Scheme("adlfs", ""),
    "abfss": Scheme("adlfs", ""),
    "oss": Scheme("ossfs", ""),
    "oci": Scheme("ocifs", ""),
    "ftp": Scheme("", ""),
    "sftp": Scheme("paramiko", ""),
    "ssh": Scheme("paramiko", ""),
    "smb": Scheme("smbprotocol", ""),
    "webhdfs": Scheme("requests", ""),
    "memory": Scheme("", ""),
}
WEB = ("http", "https")
ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
SIGNATURES = ("signature", "sig", "x-amz-signature", "x-goog-signature")
SECRETS = re.compile(r"x-(amz|goog)-.*|.*signature|.*token|sig|api_?key|password|secret", re.I)
# what stands beside a signature, and means something else without one
BESIDE = "awsaccesskeyid googleaccessid expires policy key-pair-id se sp sv sr st spr sip ske sks skt skv".split()

_bases: dict[str, str] = {}  # folder of a fetched file -> the address of its folder
_whole: dict[str, str] = {}  # address -> the same with its secrets, as this process was given it


def is_address(text: str) -> bool:
    """Whether a text is an address and no path: s3://b/cat.png, not C:/cat.png."""
    return "://" in text and ADDRESS.match(text) is not None


def scheme_of(address: str) -> str:
    return address.partition("://")[0].lower()


def host_of(address: str) -> str:
    """Name where an address leads: its host, or s3://bucket."""
    host = urlsplit(address).netloc.rpartition("@")[2]
    return host if scheme_of(address) in WEB else f"{scheme_of(address)}://{host}"


def clean_address(text: str) -> str:
    """Take signature, password and fragment off an address; this process remembers them.

    UserError, which does not repeat them, where no address can be made of it.
    """
    scheme = scheme_of(text)
    if not text.startswith(scheme):  # S3://
        text = scheme + text[len(scheme) :]
    if not any(mark in text for mark in "?@#["):
        return text
    try:
        if scheme_of(text) not in WEB:
            return clean_userinfo(text)
        parts = urlsplit(text)
        query = parse_qsl(parts.query, keep_blank_values=True)
        signed = any(name.lower() in SIGNATURES for name, _ in query)
        kept = [
            (name, value)
            for name, value in query
            if not SECRETS.fullmatch(name) and not (signed and name.lower() in BESIDE)
        ]
        text_query = parts.query if len(kept) == len(query) else urlencode(kept)
        place = parts.netloc.rpartition("@")[2]
        clean = urlunsplit((parts.scheme, place, parts.path, text_query, ""))
    except ValueError as e:
        shown = re.sub(r"//[^/]*@", "//", text.partition("?")[0])[:300]
        raise UserError(f"expected an address, found {shown} ({e})", "mend it") from None
    if clean != text.partition("#")[0]:
        _whole[clean] = text
    return clean


def clean_userinfo(text: str) -> str:
    """Take name and password off, as in sftp://ann:pw@host/.

    The name of a file may hold an @.
    """
    scheme, _, rest = text.partition("://")
    place, slash, path = rest.partition("/")
    clean = f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
    if clean != text:
        _whole[clean] = text
    return clean


def whole_address(address: str) -> str:
    """Give an address with its secrets, where they are known."""
    return _whole.get(address, address)


def check_scheme(address: str) -> None:
    """Raise UserError where nothing installed reads such addresses."""
    scheme = scheme_of(address)
    if scheme == "hf":
        raise UserError(
            "expected an address of images, found hf://, the Hugging Face Hub",
            "download it first: hf download --repo-type dataset NAME --local-dir FOLDER, "
            "then assay import FOLDER",
        )
    if scheme not in SCHEMES:
        known = " ".join(f"{name}://" for name in SCHEMES if name != "memory")
        raise UserError(f"expected an address of {known}, found {scheme}://", "download it first")
    package, extra = SCHEMES[scheme]
    if extra:
        from assay.curation.system.extras import require

        require(extra, package, "fsspec")
        return
    from importlib.util import find_spec

    missing = [name for name in ("fsspec", package) if name and find_spec(name) is None]
    if missing:
        raise UserError(
            f"expected {' and '.join(missing)} to read {scheme}:// addresses, found nothing installed "
            "by that name",
            f"pip install {' '.join(missing)}",
        )


def is_link_local(host: str) -> bool:
    """Whether a numeric host is of this link alone.

    There a cloud's machines hand out their credentials.
    """
    try:
        found = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_link_local or str(found) == "fd00:ec2::254"


def name_of(address: str) -> str:
    """Name what an address leads to, as a file would be called."""
    path = urlsplit(address).path if scheme_of(address) in WEB else address.partition("://")[2]
    name = path.rstrip("/").rpartition("/")[2]
    return (unquote(name) if scheme_of(address) in WEB else name) or host_of(address)


def suffix_of(address: str) -> str:
    """Give the ending of an address' file, in lower case: .png, .tar.gz."""
    found = re.search(r"(\.tar)?\.[A-Za-z0-9]{1,9}$", name_of(address))
    return found[0].lower() if found else ""


# ---- paths beside a table that was fetched


def set_base(folder: str | os.PathLike, address: str) -> None:
    """Say at which address the files beside a fetched one lie."""
    _bases[os.fspath(folder)] = address


def base_of(folder: str | os.PathLike) -> str | None:
    """Give the address of which a file was fetched into `folder`."""
    return _bases.get(os.fspath(folder)) if _bases else None


def locate_beside(base: str, path: str) -> tuple[str, str]:
    """Locate a relative path of a table at an address.

    Returns (its address, what is wrong with it).
    """
    plain = posixpath.normpath(path.replace("\\", "/"))
    if plain.startswith(("../", "/")) or plain == "..":
        return path, f"names {path[:300]}, which leaves the manifest's folder"
    web = scheme_of(base) in WEB
    return f"{base}/{quote(plain) if web else plain}", ""
