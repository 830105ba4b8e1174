"""Masks of addresses, as the setting `af_ip_trust` has them: `192.168.*`, `fc00:*`.

A mask is the beginning of an address: IPv4 numbers split by dots, or IPv6 groups split by colons; `*` ends it
and matches the rest.
"""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from afanasy_py.errors import ConfigError


@dataclass(frozen=True, slots=True)
class IpMask:
    """The first bytes of an address."""

    version: int  # 4 or 6
    head: bytes  # empty: every address of the version

    def matches(self, address: str) -> bool:
        """Return whether an address begins as the mask; IPv4 mapped into IPv6 counts as IPv4."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return parsed.version == self.version and parsed.packed.startswith(self.head)


@lru_cache(maxsize=4096)
def holder(address: str) -> str:
    """Return what stands for the holder of an address in limits: IPv6 gives each of them 2**64 addresses."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(parsed) >> 64 << 64)}/64"


def parse_mask(text: str) -> IpMask:
    """Return the mask that a text means.

    Raises:
        ConfigError: The text is no mask.
    """
    if "." in text and ":" in text:
        raise ConfigError(f"Invalid Server IP Mask: '{text}' - both '.' and ':' are there.")
    if "." in text:
        return IpMask(4, _head(text, ".", least=2, most=4, base=10, size=1))
    if ":" in text:
        return IpMask(6, _head(text, ":", least=2, most=8, base=16, size=2))
    raise ConfigError(f"Invalid Server IP Mask: '{text}' - neither '.' nor ':' is there.")


def _head(text: str, separator: str, *, least: int, most: int, base: int, size: int) -> bytes:
    parts = text.split(separator)
    if not least <= len(parts) <= most:
        raise ConfigError(f"Invalid Server IP Mask: '{text}' - {least} to {most} parts are expected.")
    head = b""
    for part in parts:
        if part == "*":
            break
        if not part.isalnum():  # int() would take signs, blanks and underscores
            raise ConfigError(f"Invalid Server IP Mask: '{text}' - bad number '{part}'.")
        try:
            head += int(part, base).to_bytes(size, "big")
        except (ValueError, OverflowError):
            raise ConfigError(f"Invalid Server IP Mask: '{text}' - bad number '{part}'.") from None
    return head
