"""What a host has and uses. Source: spec wire-protocol 4.5; json-api 5.8."""

from typing import ClassVar

from afanasy_py.msg.codecs import I8, I32, STR, STRS, U8, FixedInts
from afanasy_py.msg.json_forms import FILLED, Form
from afanasy_py.msg.record import Record, column, records


class CustomRes(Record):
    """A figure that a farm measures by its own script, and how viewers show it."""

    json_forms: ClassVar[dict[str, Form]] = {
        "list": (
            "value", "valuemax", "width", "height", "labelsize", "label", "tooltip",
            "graph_clr", "label_clr", "back_clr",
        )
    }  # fmt: skip

    value: int = column(I32)
    valuemax: int = column(I32, json="value_max")
    width: int = column(U8)
    height: int = column(U8)
    graph_clr: list[int] = column(FixedInts("B", 3), doc="Red, green, blue.")
    labelsize: int = column(U8, json="label_size")
    label_clr: list[int] = column(FixedInts("B", 3))
    back_clr: list[int] = column(FixedInts("B", 3))
    label: str = column(STR)
    tooltip: str = column(STR)


class HostRes(Record):
    """Resources of a host; percents are 0 to 100."""

    json_forms: ClassVar[dict[str, Form]] = {
        "list": (
            "cpu_num", "cpu_mhz", "cpu_temp", "cpu_loadavg", "cpu_user", "cpu_nice", "cpu_system", "cpu_idle",
            "cpu_iowait", "cpu_irq", "cpu_softirq", "mem_total_mb", "mem_free_mb", "mem_cached_mb",
            "mem_buffers_mb", "swap_total_mb", "swap_used_mb", "hdd_total_gb", "hdd_free_gb", "hdd_rd_kbsec",
            "hdd_wr_kbsec", "hdd_busy", "net_recv_kbsec", "net_send_kbsec", "gpu_gpu_util", "gpu_gpu_temp",
            "gpu_mem_total_mb", "gpu_mem_used_mb", "gpu_string", "hw_info", "logged_in_users", "custom",
        )
    }  # fmt: skip

    cpu_num: int = column(I32)
    cpu_mhz: int = column(I32)
    cpu_temp: int = column(I32)
    cpu_loadavg: list[int] = column(FixedInts("B", 3), doc="Of 1, 5 and 15 minutes, times ten.")
    cpu_user: int = column(U8)
    cpu_nice: int = column(U8)
    cpu_system: int = column(U8)
    cpu_idle: int = column(U8)
    cpu_iowait: int = column(U8)
    cpu_irq: int = column(U8)
    cpu_softirq: int = column(U8)
    mem_total_mb: int = column(I32)
    mem_free_mb: int = column(I32)
    mem_cached_mb: int = column(I32)
    mem_buffers_mb: int = column(I32)
    swap_total_mb: int = column(I32)
    swap_used_mb: int = column(I32)
    hdd_total_gb: int = column(I32)
    hdd_free_gb: int = column(I32)
    hdd_rd_kbsec: int = column(I32)
    hdd_wr_kbsec: int = column(I32)
    hdd_busy: int = column(I8)
    net_recv_kbsec: int = column(I32)
    net_send_kbsec: int = column(I32)
    gpu_gpu_util: int = column(I8)
    gpu_gpu_temp: int = column(I8)
    gpu_mem_total_mb: int = column(I32)
    gpu_mem_used_mb: int = column(I32)
    gpu_string: str = column(STR)
    logged_in_users: list[str] = column(STRS, emit=FILLED)
    hw_info: str = column(STR)
    custom: list[CustomRes] = column(records(CustomRes, "B"), emit=FILLED)
