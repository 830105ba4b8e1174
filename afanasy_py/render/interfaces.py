"""The network interfaces of this host, by which others can reach and wake it."""

import socket
from pathlib import Path

from afanasy_py.msg.records.address import IPV4, IPV6, Address, NetIF

NET = Path("/sys/class/net")
IF_INET6 = Path("/proc/net/if_inet6")

SIOCGIFADDR = 0x8915


def net_interfaces(net: Path = NET) -> list[NetIF]:
    """Return the network interfaces that have a hardware address; none where the system does not tell."""
    if not net.is_dir():
        return []
    interfaces = []
    for folder in sorted(net.iterdir()):
        try:
            mac = bytes.fromhex((folder / "address").read_text().strip().replace(":", ""))
        except (OSError, ValueError):
            continue
        if len(mac) == 6 and any(mac):
            interfaces.append(NetIF(name=folder.name, mac=mac, addresses=addresses_of(folder.name)))
    return interfaces


def addresses_of(interface: str) -> list[Address]:
    """Return the addresses of an interface."""
    addresses = []
    ip = ipv4_of(interface)
    if ip:
        addresses.append(Address(family=IPV4, port=0, address=ip.ljust(16, b"\0")))
    try:
        lines = IF_INET6.read_text().splitlines()
    except OSError:
        lines = []
    rows = (line.split() for line in lines)
    addresses += [
        Address(family=IPV6, port=0, address=bytes.fromhex(row[0])) for row in rows if row[-1] == interface
    ]
    return addresses


def ipv4_of(interface: str) -> bytes:
    """Return the IPv4 address of an interface, empty when it has none."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, SIOCGIFADDR, interface.encode()[:15].ljust(256, b"\0"))
        except OSError:
            return b""
    return answer[20:24]
