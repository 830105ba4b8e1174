"""What the machine has and how busy it is, from ``/proc``; zeros where there is none.

Counters of the system grow for ever, so a Meter keeps the last ones and tells the difference.
"""

import contextlib
import os
import shutil
import time
from pathlib import Path

from afanasy_py.msg.records.hostres import HostRes

PROC = Path("/proc")
SECTOR_BYTES = 512
MB_KB = 1024
GB_BYTES = 1 << 30

#: Columns of the line ``cpu`` of /proc/stat.
CPU_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq")
#: Devices of /proc/diskstats that are not disks of their own.
VIRTUAL_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "fd")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file, none when it can not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def cpu_times(proc: Path) -> list[int]:
    """Return ticks of all processors by CPU_COLUMNS."""
    for line in read_lines(proc / "stat"):
        if line.startswith("cpu "):
            return [int(word) for word in line.split()[1 : 1 + len(CPU_COLUMNS)]]
    return [0] * len(CPU_COLUMNS)


def memory_kb(proc: Path) -> dict[str, int]:
    """Return the lines of /proc/meminfo, {name: KB}."""
    pairs = (line.split(":", 1) for line in read_lines(proc / "meminfo") if ":" in line)
    return {name: int(value.split()[0]) for name, value in pairs if value.split()}


def disk_counters(proc: Path) -> tuple[int, int, int]:
    """Return bytes read, bytes written and milliseconds busy (of the busiest disk) of all disks."""
    read = written = busy = 0
    for line in read_lines(proc / "diskstats"):
        words = line.split()
        if len(words) < 13 or words[2].startswith(VIRTUAL_DISKS) or is_partition(words[2]):
            continue
        read += int(words[5]) * SECTOR_BYTES
        written += int(words[9]) * SECTOR_BYTES
        busy = max(busy, int(words[12]))
    return read, written, busy


def is_partition(name: str) -> bool:
    """Return whether a block device is a part of a disk, as sda1 or nvme0n1p2."""
    if name.startswith(("nvme", "mmcblk")):
        return "p" in name.removeprefix("nvme").removeprefix("mmcblk")
    return name[-1].isdigit()


def net_counters(proc: Path) -> tuple[int, int]:
    """Return bytes received and sent by all interfaces but the loopback."""
    received = sent = 0
    for line in read_lines(proc / "net" / "dev"):
        name, colon, rest = line.partition(":")
        words = rest.split()
        if colon and name.strip() != "lo" and len(words) >= 9:
            received += int(words[0])
            sent += int(words[8])
    return received, sent


def cpu_model(proc: Path) -> tuple[str, int]:
    """Return the name and the speed in MHz of the first processor."""
    name, mhz = "", 0
    for line in read_lines(proc / "cpuinfo"):
        key, _, value = line.partition(":")
        if key.strip() == "model name" and not name:
            name = value.strip()
        elif key.strip() == "cpu MHz" and not mhz:
            mhz = int(float(value))
    return name, mhz


class Meter:
    """Measures again and again; a measurement speaks of the time since the one before."""

    def __init__(self, proc: Path = PROC, disk: str = os.sep) -> None:
        self.proc = proc
        self.disk = disk
        self.cpu = cpu_times(proc)
        self.disks = disk_counters(proc)
        self.net = net_counters(proc)
        self.measured_at = 0.0
        self.model, self.mhz = cpu_model(proc)

    def measure(self, now: float) -> HostRes:
        """Return the resources of this machine.

        Args:
            now: Seconds of a clock that never jumps.
        """
        seconds = max(now - self.measured_at, 0.1)
        res = HostRes()
        res.cpu_num = os.cpu_count() or 1
        res.cpu_mhz = self.mhz
        res.hw_info = self.model
        if hasattr(os, "getloadavg"):
            res.cpu_loadavg = [min(int(load * 10), 255) for load in os.getloadavg()]
        self._cpu(res)
        self._memory(res)
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(self.disk)
            res.hdd_total_gb = usage.total // GB_BYTES
            res.hdd_free_gb = usage.free // GB_BYTES
        disks, net = disk_counters(self.proc), net_counters(self.proc)
        if self.measured_at:
            res.hdd_rd_kbsec, res.hdd_wr_kbsec = self._per_second(self.disks[:2], disks[:2], seconds)
            res.hdd_busy = min(100, max(0, round((disks[2] - self.disks[2]) / seconds / 10)))
            res.net_recv_kbsec, res.net_send_kbsec = self._per_second(self.net, net, seconds)
        self.disks, self.net, self.measured_at = disks, net, now
        return res

    def _cpu(self, res: HostRes) -> None:
        cpu = cpu_times(self.proc)
        spent = [max(0, new - old) for new, old in zip(cpu, self.cpu, strict=True)]
        self.cpu = cpu
        total = sum(spent)
        for name, ticks in zip(CPU_COLUMNS, spent, strict=True):
            setattr(res, f"cpu_{name}", 100 * ticks // total if total else 0)
        if not total:
            res.cpu_idle = 100

    def _memory(self, res: HostRes) -> None:
        memory = {name: kb // MB_KB for name, kb in memory_kb(self.proc).items()}
        res.mem_total_mb = memory.get("MemTotal", 0)
        res.mem_cached_mb = memory.get("Cached", 0)
        res.mem_buffers_mb = memory.get("Buffers", 0)
        free = memory.get("MemFree", 0) + res.mem_cached_mb + res.mem_buffers_mb
        res.mem_free_mb = memory.get("MemAvailable", free)
        res.swap_total_mb = memory.get("SwapTotal", 0)
        res.swap_used_mb = res.swap_total_mb - memory.get("SwapFree", 0)

    @staticmethod
    def _per_second(old: tuple[int, ...], new: tuple[int, ...], seconds: float) -> tuple[int, int]:
        first, second = (max(0, round((b - a) / 1024 / seconds)) for a, b in zip(old, new, strict=True))
        return first, second


def pause_for_first_measure() -> None:
    """Wait until the first measurement speaks of some time."""
    time.sleep(0.1)
