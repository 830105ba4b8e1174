"""Which record a message type carries, and how to decode and encode any message of the protocol.

Source: spec wire-protocol 2.2, 3, 4.16.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.codecs import STRS, bytes_to_text, read_text, write_text
from afanasy_py.msg.record import Record, encode_list
from afanasy_py.msg.records.block import Block
from afanasy_py.msg.records.branch import Branch
from afanasy_py.msg.records.general import General, JobProgress, JobsWeight, Stat, TestMessage
from afanasy_py.msg.records.job import Job
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.monitor import Monitor
from afanasy_py.msg.records.monitor_events import MonitorEvents
from afanasy_py.msg.records.pool import Pool
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.records.user import User
from afanasy_py.msg.source import Read
from afanasy_py.msg.types import FIRST_TYPE_WITH_DATA, MsgType

#: Messages whose data is one record.
RECORDS: dict[MsgType, type[Record]] = {
    MsgType.TTESTDATA: TestMessage,
    MsgType.TStatData: Stat,
    MsgType.TMonitor: Monitor,
    MsgType.TMonitorEvents: MonitorEvents,
    MsgType.TRenderRegister: Render,
    MsgType.TRenderUpdate: RenderUpdate,
    MsgType.TRenderEvents: RenderEvents,
    MsgType.TRendersResourcesRequestIds: General,
    MsgType.TUserJobsOrder: General,
    MsgType.TJobProgress: JobProgress,
    MsgType.TJobsWeight: JobsWeight,
    MsgType.TTask: McTask,
    MsgType.TTaskFiles: TaskUp,
}

#: Messages whose data is a list of nodes.
LISTS: dict[MsgType, type[Record]] = {
    MsgType.TMonitorsList: Monitor,
    MsgType.TRendersList: Render,
    MsgType.TRendersResources: Render,
    MsgType.TUsersList: User,
    MsgType.TBranchesList: Branch,
    MsgType.TPoolsList: Pool,
    MsgType.TJobsList: Job,
    MsgType.TJob: Job,
    MsgType.TBlocksProgress: Block,
    MsgType.TBlocksProperties: Block,
    MsgType.TBlocks: Block,
}

#: Messages whose data is bytes that this layer does not look into.
BYTES = frozenset({MsgType.TDATA, MsgType.TJSON, MsgType.TJSONBIN, MsgType.THTTP, MsgType.THTTPGET})


@dataclass(frozen=True, slots=True)
class Plain:
    """Data without a record: how to read it and to write it."""

    read: Read
    write: Callable[[Any], bytes]


def _read_info(data: bytes, pos: int) -> tuple[tuple[str, str], int]:
    kind, pos = read_text(data, pos)
    text, pos = read_text(data, pos)
    return (kind, text), pos


#: Messages whose data is a text, a list of texts or a pair (kind, text).
PLAIN: dict[MsgType, Plain] = {
    MsgType.TString: Plain(read_text, write_text),
    MsgType.TStringList: Plain(STRS.reader(None), STRS.writer(None)),
    MsgType.TInfo: Plain(_read_info, lambda info: write_text(info[0]) + write_text(info[1])),
}


def decode_message(msg_type: int, data: bytes) -> Any:
    """Return what the data of a message says.

    Returns:
        A record, a list of records, a text, a list of texts, a pair of texts, or bytes; None for a type
        that has no data.

    Raises:
        ProtocolError: The data does not fit the type, or the type is not known.
    """
    if msg_type in RECORDS:
        return RECORDS[MsgType(msg_type)].decode(msg_type, data)
    if msg_type in LISTS:
        return LISTS[MsgType(msg_type)].decode_list(msg_type, data)
    if msg_type in PLAIN:
        return _decode_plain(PLAIN[MsgType(msg_type)], data)
    if msg_type in BYTES:
        return data
    if 0 <= msg_type < FIRST_TYPE_WITH_DATA and not data:
        return None
    raise ProtocolError(f"message of type {msg_type} with {len(data)} bytes: {bytes_to_text(data[:40])!r}")


def _decode_plain(plain: Plain, data: bytes) -> Any:
    try:
        value, pos = plain.read(data, 0)
    except struct.error as error:
        raise ProtocolError(str(error)) from None
    if pos != len(data):
        raise ProtocolError(f"text of {pos} bytes in data of {len(data)}")
    return value


def encode_message(msg_type: int, value: Any) -> bytes:
    """Return the data of a message; the other way round than `decode_message`.

    Raises:
        ValueError: The type is not known.
    """
    if msg_type in RECORDS:
        data: bytes = value.encode(msg_type)
        return data
    if msg_type in LISTS:
        return encode_list(msg_type, value)
    if msg_type in PLAIN:
        return PLAIN[MsgType(msg_type)].write(value)
    if msg_type in BYTES:
        return bytes(value)
    if 0 <= msg_type < FIRST_TYPE_WITH_DATA:
        return b""
    raise ValueError(f"no message of type {msg_type}")
