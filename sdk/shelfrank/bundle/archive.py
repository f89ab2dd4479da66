"""The container: a stored zip in its one canonical form (bundle-format.md, section 2).

Zip allows a file to say everything twice and differently. A bundle does not: names, order, header
fields and directory follow from the members, so the reader rebuilds them and compares. What is left
is a list of (name, bytes), and every other zip trick (comments, gaps, links, encryption,
compression) is a difference.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from shelfrank.errors import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MANIFEST: Final = "manifest.json"
SIGNATURES: Final = "manifest.sig.json"
MODEL: Final = "model.onnx"
CATALOG: Final = "catalog.bin"
POLICY: Final = "policy.toml"
LABEL: Final = "label.json"
GOLDEN: Final = "golden.json"
CARD: Final = "model-card.json"

# A device reads the whole file into memory, so this bounds what a hostile USB stick can cost. The
# model is the large part; models of 100,000 items with int8 tables stay under 50 MB.
MAX_BUNDLE_BYTES: Final = 256 * 1024 * 1024
# 8 members are known today and 3 more are planned; the rest is room.
MAX_MEMBERS: Final = 32
# Two rotations a year for 32 years.
MAX_ROOTS: Final = 64

_KIB: Final = 1024
_MIB: Final = 1024 * 1024
MEMBER_LIMITS: Final[Mapping[str, int]] = {
    MANIFEST: 64 * _KIB,  # It lists at most 96 files of about 200 bytes each.
    SIGNATURES: 16 * _KIB,  # At most 32 signatures of about 200 bytes.
    MODEL: 192 * _MIB,
    CATALOG: 64 * _MIB,
    POLICY: 256 * _KIB,
    LABEL: 256 * _KIB,  # It names the categories that the policy keeps out.
    GOLDEN: 4 * _MIB,
    CARD: 256 * _KIB,  # Some hundred figures of 100 bytes; devices pass it over.
}
"""Most bytes of each known member."""
MAX_ROOT_BYTES: Final = 32 * _KIB
# A member this SDK does not know cannot be bounded by what it is for.
MAX_OTHER_BYTES: Final = 4 * _MIB

# One level, lower case: no "..", no absolute path, no drive, no backslash, no two names that differ
# in case only. The folder exists for roots alone.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*", re.ASCII)
_ROOT_NAME: Final = re.compile(r"roots/([1-9][0-9]{0,5})\.json", re.ASCII)
_MAX_NAME_BYTES: Final = 64

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_VERSION: Final = 10  # Stored members need nothing newer than PKZIP 1.0.
_DATE: Final = 0x21  # 1 January 1980, the first day zip knows: same inputs, same bytes.


class _Entry(NamedTuple):
    name: str
    size: int
    crc: int
    offset: int


class Container(NamedTuple):
    """What a stored zip is for: what is said of it, and how large it may be.

    Attributes:
        what: the word for the whole in messages.
        max_bytes: of the whole.
        limit_of: most bytes of a member of this name.
    """

    what: str
    max_bytes: int
    limit_of: Callable[[str], int]


def root_name(version: int) -> str:
    """Return the member's name of root `version`."""
    return f"roots/{version}.json"


def root_version(name: str) -> int | None:
    """Return the version in a root's name, or None if `name` is no root."""
    match = _ROOT_NAME.fullmatch(name)
    return None if match is None else int(match[1])


def member_limit(name: str) -> int:
    """Return the most bytes a member called `name` may have."""
    if root_version(name) is not None:
        return MAX_ROOT_BYTES
    return MEMBER_LIMITS.get(name, MAX_OTHER_BYTES)


def is_member_name(name: str) -> bool:
    """Say whether a bundle may have a member of this name."""
    if len(name) > _MAX_NAME_BYTES:
        return False
    return _NAME.fullmatch(name) is not None or _ROOT_NAME.fullmatch(name) is not None


def member(members: Mapping[str, bytes], name: str) -> bytes:
    """Return a member that must be there.

    Raises:
        BundleFormatError: it is not.
    """
    if name not in members:
        raise BundleFormatError(f"bundle has no {name}")
    return members[name]


def read_members(data: bytes, container: Container | None = None) -> dict[str, bytes]:
    """Take a stored zip apart; nothing is verified yet beyond the container.

    Args:
        data: the whole file.
        container: what it is for; None takes a bundle.

    Returns:
        Name to bytes, in the order of the archive (ascending by name).

    Raises:
        BundleFormatError: not a canonical stored zip, a name outside the rules, a member or the
            whole above its limit, or a checksum that does not match.
    """
    container = container or _bundle()
    what = container.what
    if len(data) > container.max_bytes:
        raise BundleFormatError(
            f"{what} has {len(data):,} bytes, at most {container.max_bytes:,} are read"
        )
    if not data.startswith(_LOCAL_MAGIC):
        raise BundleFormatError(f"no {what}: it does not start like a zip archive")
    members: dict[str, bytes] = {}
    entries: list[_Entry] = []
    offset = 0
    while data.startswith(_LOCAL_MAGIC, offset):
        entry, start = _read_local(data, offset, container)
        if entries and entry.name <= entries[-1].name:
            raise BundleFormatError(
                f"{what} member {entry.name} is there twice or out of order: names must ascend"
            )
        entries.append(entry)
        _check_counts(entries, what)
        members[entry.name] = data[start : start + entry.size]
        offset = start + entry.size
    if data[offset:] != _directory(entries, offset):
        raise BundleFormatError(
            f"{what}'s zip directory does not say what its members say, or something follows it"
        )
    return members


def write_members(members: Mapping[str, bytes], container: Container | None = None) -> bytes:
    """Return the one archive that holds `members`; the inverse of `read_members`.

    Raises:
        BundleFormatError: a name, size or number of members that `read_members` would refuse.
    """
    container = container or _bundle()
    what = container.what
    entries: list[_Entry] = []
    pieces: list[bytes] = []
    offset = 0
    for name in sorted(members):
        data = members[name]
        _check_name(name, what)
        _check_size(name, len(data), container)
        entry = _Entry(name, len(data), zlib.crc32(data), offset)
        entries.append(entry)
        pieces += [_local_header(entry), data]
        offset += len(pieces[-2]) + len(data)
    _check_counts(entries, what)
    pieces.append(_directory(entries, offset))
    archive = b"".join(pieces)
    if len(archive) > container.max_bytes:
        raise BundleFormatError(
            f"{what} would have {len(archive):,} bytes, at most {container.max_bytes:,} are read"
        )
    return archive


def _bundle() -> Container:
    return Container("bundle", MAX_BUNDLE_BYTES, member_limit)


def _read_local(data: bytes, offset: int, container: Container) -> tuple[_Entry, int]:
    """Read one local header; return it with the offset of the member's first byte."""
    what = container.what
    name_start = offset + _LOCAL.size
    if name_start > len(data):
        raise BundleFormatError(f"{what} ends inside a member's header")
    _, _, flags, method, _, _, crc, _, size, name_size, _ = _LOCAL.unpack_from(data, offset)
    if flags != 0 or method != 0:
        raise BundleFormatError(
            f"{what} has a compressed or encrypted member: all must be stored as they are"
        )
    start = name_start + name_size
    # Latin-1 cannot fail, and the rules for names admit ASCII only.
    name = data[name_start:start].decode("latin-1")
    _check_name(name, what)
    _check_size(name, size, container)
    if start + size > len(data):
        raise BundleFormatError(f"{what} ends inside member {name}")
    entry = _Entry(name, size, crc, offset)
    if data[offset:start] != _local_header(entry):
        raise BundleFormatError(f"{what} member {name} has a header that is not in canonical form")
    if zlib.crc32(memoryview(data)[start : start + size]) != crc:
        raise BundleFormatError(f"{what} member {name} is damaged: its checksum does not match")
    return entry, start


def _check_name(name: str, what: str) -> None:
    if not is_member_name(name):
        shown = name[:_MAX_NAME_BYTES].encode("unicode_escape").decode("ascii")
        raise BundleFormatError(
            f"{what} has a member called '{shown}': only lower-case names such as model.onnx and "
            "roots/1.json are allowed"
        )


def _check_size(name: str, size: int, container: Container) -> None:
    limit = container.limit_of(name)
    if size > limit:
        raise BundleFormatError(
            f"{container.what} member {name} has {size:,} bytes, at most {limit:,} are read"
        )


def _check_counts(entries: list[_Entry], what: str) -> None:
    roots = sum(root_version(entry.name) is not None for entry in entries)
    if roots > MAX_ROOTS or len(entries) - roots > MAX_MEMBERS:
        raise BundleFormatError(
            f"{what} has more than {MAX_MEMBERS} members or more than {MAX_ROOTS} roots"
        )


def _local_header(entry: _Entry) -> bytes:
    name = entry.name.encode("ascii")
    fixed = _LOCAL.pack(
        _LOCAL_MAGIC, _VERSION, 0, 0, 0, _DATE, entry.crc, entry.size, entry.size, len(name), 0
    )
    return fixed + name


def _directory(entries: list[_Entry], offset: int) -> bytes:
    """Return the central directory and its end record, for a directory that starts at `offset`."""
    records: list[bytes] = []
    for entry in entries:
        name = entry.name.encode("ascii")
        sizes = (entry.crc, entry.size, entry.size, len(name))
        head = (b"PK\x01\x02", _VERSION, _VERSION, 0, 0, 0, _DATE, *sizes)
        records += [_CENTRAL.pack(*head, 0, 0, 0, 0, 0, entry.offset), name]
    directory = b"".join(records)
    count = len(entries)
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), offset, 0)
    return directory + end
