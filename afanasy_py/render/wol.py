"""Wakes a machine by magic packets, or puts this one to sleep.

A program of its own that uses the standard library only: services start it by its path, ``bin/wolwake`` and
``bin/wolsleep`` do the same for people and for settings.
"""

import argparse
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

WOL_PORT = 9
BROADCAST = "255.255.255.255"
POWER_STATE = Path("/sys/power/state")


def magic_packet(mac: str) -> bytes:
    """Return the packet that wakes the owner of a hardware address.

    Raises:
        ValueError: This is no address of 12 hexadecimal digits, with or without ``:`` ``-`` ``.`` in it.
    """
    digits = re.sub("[:.-]", "", mac)
    if not re.fullmatch("[0-9a-fA-F]{12}", digits):
        raise ValueError(f"Invalid hardware address: {mac}")
    return b"\xff" * 6 + bytes.fromhex(digits) * 16


def send_packets(macs: Sequence[str], address: str, port: int) -> None:
    """Send a magic packet for each hardware address to a broadcast address.

    Raises:
        ValueError: One of the addresses is invalid; nothing is sent then.
        OSError: The network refused.
    """
    packets = [magic_packet(mac) for mac in macs]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for packet in packets:
            sock.sendto(packet, (address, port))


def sleep_command() -> list[str]:
    """Return the command that puts this machine to sleep."""
    if sys.platform == "darwin":
        return ["pmset", "sleepnow"]
    if sys.platform == "win32":
        return ["rundll32.exe", "powrprof.dll,SetSuspendState", "0,1,0"]
    if shutil.which("systemctl"):
        return ["systemctl", "suspend"]
    return ["sh", "-c", f"echo mem > {POWER_STATE}"]


def arguments(program: str) -> argparse.ArgumentParser:
    """Return the parser of the arguments that both programs take."""
    parser = argparse.ArgumentParser(program)
    parser.add_argument("--wake", action="store_true", help="taken for compatibility, not needed")
    parser.add_argument("--sleep", action="store_true", help="taken for compatibility, not needed")
    parser.add_argument("--ip", default="", help="address of the machine, only printed")
    parser.add_argument("--hostname", default="", help="name of the machine, only printed")
    parser.add_argument("--broadcast", default=BROADCAST, help="where packets go, %(default)s")
    parser.add_argument("--port", type=int, default=WOL_PORT, help="UDP port, %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("macs", nargs="*", metavar="MAC", help="12 hexadecimal digits")
    return parser


def wake_main(argv: Sequence[str] | None = None) -> int:
    """Wake the machine that has the given hardware addresses."""
    parser = arguments("wolwake")
    options = parser.parse_args(argv)
    if not options.macs:
        parser.error("no hardware address given")
    try:
        if options.dry_run:
            for mac in options.macs:
                magic_packet(mac)
        else:
            send_packets(options.macs, options.broadcast, options.port)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"wolwake: {error}\n")
        return 1
    name = f"{options.hostname} {options.ip}".strip() or "a machine"
    sys.stdout.write(f"Waking {name}: {' '.join(options.macs)}\n")
    return 0


def sleep_main(argv: Sequence[str] | None = None) -> int:
    """Put this machine to sleep."""
    options = arguments("wolsleep").parse_args(argv)
    command = sleep_command()
    sys.stdout.write(f"Going to sleep: {' '.join(command)}\n")
    return 0 if options.dry_run else subprocess.run(command, check=False).returncode


def main(argv: Sequence[str]) -> int:
    """Do what the first argument says: ``wake`` or ``sleep``."""
    programs = {"wake": wake_main, "sleep": sleep_main}
    if not argv or argv[0] not in programs:
        sys.stderr.write("usage: wol.py wake|sleep ...\n")
        return 2
    return programs[argv[0]](argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
