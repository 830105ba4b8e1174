"""Network addresses and interfaces. Source: spec wire-protocol 4.4; json-api 5.8."""

from __future__ import annotations

import ipaddress
from typing import ClassVar

from afanasy_py.msg.codecs import I8, STR, U16, Raw
from afanasy_py.msg.json_forms import FILLED, Form, Member
from afanasy_py.msg.record import Record, column, records

IPV4, IPV6, EMPTY = range(3)


class Address(Record):
    """The address of a client."""

    json_forms: ClassVar[dict[str, Form]] = {
        "list": (Member("family", "6 if o.family == 1 else 4"), Member("ip", "o.ip"), "port")
    }

    family: int = column(I8, default=EMPTY, doc="0 IPv4, 1 IPv6, 2 empty.")
    port: int = column(U16)
    address: bytes = column(Raw(16), doc="IPv4 in the first four bytes, the rest zeros.")

    @classmethod
    def from_ip(cls, ip: str, port: int = 0) -> Address:
        """Return the address of a text; an empty one if it is none. IPv4 in IPv6 becomes IPv4."""
        try:
            parsed = ipaddress.ip_address(ip.partition("%")[0])
        except ValueError:
            return cls()
        if isinstance(parsed, ipaddress.IPv6Address):
            if parsed.ipv4_mapped is None:
                return cls(family=IPV6, port=port, address=parsed.packed)
            parsed = parsed.ipv4_mapped
        return cls(family=IPV4, port=port, address=parsed.packed.ljust(16, b"\0"))

    @property
    def ip(self) -> str:
        """The address as a text, empty for none; IPv6 with all its digits."""
        if self.family == IPV4:
            return str(ipaddress.IPv4Address(self.address[:4]))
        if self.family == IPV6:
            return ipaddress.IPv6Address(self.address).exploded
        return ""


class NetIF(Record):
    """A network interface of a host."""

    json_forms: ClassVar[dict[str, Form]] = {"list": ("name", Member("mac", "o.mac.hex(':')"), "addresses")}

    name: str = column(STR)
    mac: bytes = column(Raw(6))
    addresses: list[Address] = column(records(Address, "b"), emit=FILLED)
