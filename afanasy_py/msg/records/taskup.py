"""What a render says about a task it runs. Source: spec wire-protocol 4.9."""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.codecs import BOOL, I8, I32, I32S, STR, STRS, Codec
from afanasy_py.msg.json_forms import Form, Member
from afanasy_py.msg.record import Record, column
from afanasy_py.msg.source import ReadSource, WriteSource

#: (name, content) of a file.
File = tuple[str, bytes]

_I32 = struct.Struct(">i")
_read_sizes = I32S.reader(None)
_write_sizes = I32S.writer(None)
_read_names = STRS.reader(None)
_write_names = STRS.writer(None)


def _read_tail(data: bytes, pos: int, data_len: int, files_num: int) -> tuple[bytes, list[File], int]:
    left = len(data) - pos
    if not 0 <= data_len <= left or not 0 <= files_num <= left:
        raise ProtocolError(
            f"task update with output of {data_len} bytes and {files_num} files in {left} bytes"
        )
    end = pos + data_len
    output, pos = data[pos:end], end
    if not files_num:
        return output, [], pos
    (total,) = _I32.unpack_from(data, pos)
    sizes, pos = _read_sizes(data, pos + 4)
    names, pos = _read_names(data, pos)
    if len(sizes) != files_num or len(names) != files_num or sum(sizes) != total or any(s < 0 for s in sizes):
        raise ProtocolError(f"task update of {files_num} files, {len(names)} names and {len(sizes)} sizes")
    if total > len(data) - pos:
        raise ProtocolError(f"task update with files of {total} bytes in {len(data) - pos} bytes")
    files = []
    for name, size in zip(names, sizes, strict=True):
        files.append((name, data[pos : pos + size]))
        pos += size
    return output, files, pos


def _write_tail(output: bytes, files: list[File]) -> bytes:
    if not files:
        return output
    sizes = [len(content) for _, content in files]
    parts = [output, _I32.pack(sum(sizes)), _write_sizes(sizes), _write_names([name for name, _ in files])]
    parts += [content for _, content in files]
    return b"".join(parts)


class _Tail(Codec[Any]):
    """Output and files: both counts come first, the contents only where there are any."""

    least = 8
    default_source = "b''"

    def emit_read(self, source: ReadSource, target: str) -> None:
        size, number = source.temp(), source.temp()
        source.fixed("ii", size, number)
        source.flush()
        source.line(f"if {size} or {number}:")
        source.line(f"    {target}, o.files, pos = {source.bind(_read_tail)}(data, pos, {size}, {number})")
        source.line("else:")
        source.line(f"    {target} = b''")
        source.line("    o.files = []")

    def emit_write(self, source: WriteSource, value: str) -> None:
        source.fixed("ii", f"len({value})", "len(o.files)")
        source.part(f"{source.bind(_write_tail)}({value}, o.files)")


class _Files(Codec[list[File]]):
    """Read and written together with the output."""

    least = 0
    default_source = "[]"
    fresh = True

    def emit_read(self, source: ReadSource, target: str) -> None:
        del source, target

    def emit_write(self, source: WriteSource, value: str) -> None:
        del source, value


class TaskUp(Record):
    """An update of a task; also what brings the stored files of a task to viewers."""

    json_forms: ClassVar[dict[str, Form]] = {
        "files": (
            "job_id",
            Member("block_id", "o.block_num"),
            Member("task_id", "o.task_num"),
            Member("files", "[{'name': name} for name, _ in o.files]"),
        )
    }

    client_id: int = column(I32, default=-1, doc="Id of the render.")
    job_id: int = column(I32)
    block_num: int = column(I32, default=-1)
    task_num: int = column(I32, default=-1)
    number: int = column(I32, default=-1, doc="Multi-host tasks: number of the host.")
    status: int = column(I8, default=-1, doc="A TaskStatus.")
    percent: int = column(I8, default=-1)
    frame: int = column(I32, default=-1)
    percent_frame: int = column(I8, default=-1)
    progress_changed: bool = column(BOOL, doc="Resets the timeout of no progress.")
    activity: str = column(STR)
    resources: str = column(STR, doc="JSON text of the parser.")
    report: str = column(STR)
    log: str = column(STR, doc="To be added to the log of the task.")
    listened: str = column(STR, doc="New output since the last update, while somebody listens.")
    parsed_files: list[str] = column(STRS)
    data: bytes = column(_Tail(), default=b"", doc="The whole output; with a final status only.")
    files: list[File] = column(_Files(), doc="Files of the task's store folder.")
