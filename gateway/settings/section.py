"""The base of every section, and the field types that several of them share."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class Section(BaseModel):
    """Frozen; unknown names are errors; a failed check never repeats what was given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


def _existing_file(path: Path) -> Path:
    if not path.expanduser().is_file():
        raise ValueError("no such file; give the path of a readable file")
    return path.expanduser()


def _folder(path: Path) -> Path:
    absolute = path.expanduser().absolute()
    if absolute.exists() and not absolute.is_dir():
        raise ValueError("is a file; give a folder")
    return absolute


ExistingFile = Annotated[Path, AfterValidator(_existing_file)]
Folder = Annotated[Path, AfterValidator(_folder)]
"""Absolute, `~` expanded; need not exist yet."""
Port = Annotated[int, Field(ge=0, le=65_535)]
"""0: any free port."""
Host = Annotated[str, Field(min_length=1, max_length=253)]
Url = Annotated[str, Field(max_length=2_000)]
"""May hold a password: declared with repr=False and shown only through without_secrets()."""

REDIS_SCHEMES = ("redis", "rediss", "unix")
BOLT_SCHEMES = ("bolt", "bolt+s")
"""One server per shard: neo4j://, which routes over a cluster, has nothing to route here."""
TLS_SCHEMES = ("rediss", "bolt+s")

SECRET_SHOWN = "********"  # noqa: S105 - what is shown instead of one
_SECRET_QUERY = re.compile(r"([?&][^=&]*(?:pass|pw|secret|token|key|auth|cred)[^=&]*=)[^&]*", re.IGNORECASE)


def check_url(url: str, schemes: tuple[str, ...]) -> str:
    """The url itself. Raises ValueError, without repeating the url, when it is none of these schemes."""
    scheme = url.partition("://")[0]
    if scheme not in schemes:
        raise ValueError(f"must be a URL whose scheme is {' or '.join(schemes)}")
    try:
        parts = urlsplit(url)
        place = parts.path if scheme == "unix" else parts.hostname
        readable = parts.port != 0
    except ValueError:
        place, readable = None, False
    if not place or not readable:
        example = "unix:///run/db.sock" if scheme == "unix" else f"{scheme}://host:port"
        raise ValueError(f"cannot be read; write {example}, special characters of a password as %XX")
    return url


def without_secrets(text: str) -> str:
    """The text with passwords hidden, if it is a URL: `redis://user:********@host`.

    Everything before the last `@` counts as credentials, so that a password with an unescaped slash
    in it does not slip out.
    """
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    credentials, at, place = rest.rpartition("@")
    if at:
        user, colon, _ = credentials.partition(":")
        rest = f"{user}:{SECRET_SHOWN}@{place}" if colon else f"{SECRET_SHOWN}@{place}"
    return scheme + mark + _SECRET_QUERY.sub(rf"\g<1>{SECRET_SHOWN}", rest)
