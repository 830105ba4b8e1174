"""The store: nothing that was answered is ever lost. What the rest of the server sees of this package.

The farm's changes are collected after each call and written by one native thread, a frame for all that came
meanwhile; whoever has to wait for the disk waits for that frame. Files of the original's layout follow in a
process of its own (`store.mirror`). See docs/store.md.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gevent
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool

from afanasy_py.errors import StoreError
from afanasy_py.store import journal, layout
from afanasy_py.store.capture import Batch, Capture, node_folder
from afanasy_py.store.disk import Disk
from afanasy_py.store.journal import FOLDER, Position, Writer
from afanasy_py.store.load import Source, begin_again, begin_journal, fill_farm, read_source
from afanasy_py.store.mirror_process import STOP_SECONDS, MirrorProcess
from afanasy_py.store.outputs import Outputs
from afanasy_py.store.records import KINDS, encode_serial

if TYPE_CHECKING:
    from collections.abc import Callable

    from afanasy_py.clock import Clock
    from afanasy_py.core.farm import Farm
    from afanasy_py.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

#: What nobody waits for is written at the latest so long after it happened, seconds.
LAZY_SECONDS = 0.2
#: After a batch for which so many waited, the next one collects for so many seconds at least: to hand a batch to
#: the thread that writes costs as much as what is in it.
GATHER_FROM = 3
GATHER_SECONDS = 0.002
#: Pause after a failed write, seconds.
RETRY_SECONDS = 1.0
#: An answer waits so long for the disk at most, seconds.
WAIT_SECONDS = 10.0
#: Pause between two looks at what goes on beside, seconds.
KEEP_SECONDS = 1.0
#: `server.json` is written so often when nothing else asks for it, seconds.
SERVER_SECONDS = 100
#: While nothing can be written, so many bytes of outputs are kept in memory; more are lost.
OUTPUTS_MOST = 256 * 1024 * 1024


class Store:
    """The store of one server."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        clock: Clock,
        disk: Disk | None = None,
        mirror: MirrorProcess | None = None,
    ) -> None:
        """Prepare; nothing is touched before `lock`.

        Args:
            folder: Root of the store.
            settings: In force.
            clock: Tells what `server.json` and the log say.
            disk: Does the reading and writing; tests let it fail.
            mirror: Keeps the files of the original's layout.
        """
        self.root = Path(os.path.abspath(folder))  # noqa: PTH100 - a link to another disk stays what it is
        self._folder = self.root / FOLDER
        self._settings = settings
        self._clock = clock
        self._disk = disk or Disk()
        self._capture = Capture()
        self._farm: Farm
        self._writer: Writer | None = None
        self._journal_id = ""
        self._lock: int | None = None
        self._threads = ThreadPool(1)
        #: Number of the batch that is being collected, and what its waiters wait for.
        self._ticket = 1
        self._result: AsyncResult | None = None
        #: The same of the batch that is being written.
        self._writing: tuple[int, AsyncResult] | None = None
        self._writing_since = 0.0
        #: All batches up to this one are on the disk.
        self._written = 0
        self._wanted = Event()
        #: How many wait for the batch that is being collected.
        self._waiters = 0
        self._lazy: Any = None
        self._writer_loop: Any = None
        self._keeper_loop: Any = None
        self._closing = False
        #: Text of the last error; empty: all is well.
        self._error = ""
        self._error_since = 0.0
        self._lost_outputs = 0
        self._mirror = mirror or MirrorProcess(self._disk, self.root)
        self._outputs = Outputs(self._disk, self._folder)
        self._syncs: deque[float] = deque(maxlen=100)
        self._started = 0
        self._time_created = 0
        self._server_serial = -1
        self._server_at = 0.0
        #: Called with a line when the store gets into trouble or out of it.
        self.on_trouble: Callable[[str], None] | None = None

    # -- start

    def lock(self) -> None:
        """Take the store for this process.

        Raises:
            StoreError: Another server has it, or it cannot be used; one line says why.
        """
        disk = self._disk
        try:
            for name in (*KINDS, FOLDER):
                disk.make_folder(self.root / name)
            self._lock = disk.lock(self._folder / "lock")
            if self._lock is None:
                raise StoreError(f"{self.root}: another server is running on this store.")
            probe = self._folder / "probe"
            disk.replace(probe, b"x")
            disk.remove(probe)
        except OSError as error:
            raise StoreError(f"{self.root}: the store cannot be used: {error.strerror or error}.") from None
        self._mirror.wait_for_old()

    def load(self, farm: Farm, now: float) -> None:
        """Fill an empty farm with all that is stored.

        Raises:
            StoreError: The store can be neither read nor put aside.
        """
        self._farm = farm
        self._started = int(now)
        try:
            source = read_source(self._disk, self.root, put_aside=True)
            for problem in source.problems:
                log.error("store: %s", problem)
            if source.is_new:
                source.image.time_created = source.image.time_created or int(now)
                begin_journal(self._disk, self.root, source)
        except OSError as error:
            raise StoreError(f"{self.root}: the store cannot be used: {error}") from None
        image = source.image
        if source.replayed > journal.REPLAY_MOST:
            self._write_snapshot(source)
        for problem in fill_farm(farm, source, self.root):
            log.error("store: %s", problem)
        farm.tokens.learn(farm.jobs, now)
        folders = {(kind, n.id): n.folder for kind, nodes in image.nodes.items() for n in nodes.values()}
        self._capture.adopt(farm, folders)
        self._journal_id = source.journal_id
        self._time_created = image.time_created
        self._writer = Writer(
            self._disk, self._folder, source.journal_id, source.next_segment, source.next_frame, source.end
        )
        try:
            self._write_server_file(now)
        except OSError as error:
            raise StoreError(f"{self.root}: the store cannot be used: {error}") from None
        log.info(
            "store loaded: from=%s jobs=%d renders=%d users=%d",
            source.origin, len(farm.jobs), len(farm.renders), len(farm.users),
        )  # fmt: skip
        self._start_loops()

    def _write_snapshot(self, source: Source) -> None:
        """Spare the next start what this one had to replay; the mirror removes what that stands for."""
        try:
            journal.write_snapshot(
                self._disk,
                self._folder,
                source.journal_id,
                source.image,
                source.next_segment,
                source.next_frame,
            )
        except OSError as error:
            log.warning("store: no snapshot could be written: %s", error)

    def _start_loops(self) -> None:
        self._writer_loop = gevent.spawn(self._write_loop)
        self._writer_loop.name = "store writer"
        self._keeper_loop = gevent.spawn(self._keep_loop)
        self._keeper_loop.name = "store keeper"

    # -- writing

    def commit(self, farm: Farm) -> int | None:
        """Take what the farm wants stored; return what to wait for before answering, or None."""
        self._farm = farm
        if self._capture.take(farm) and self._settings.af_store_durable:
            return self._ticket
        self._want_later()
        return None

    def wait(self, ticket: int) -> None:
        """Wait until everything up to a ticket is safe on the disk.

        Raises:
            StoreError: It is not; the farm has it in memory, and it is written as soon as that works.
        """
        if ticket <= self._written:
            return
        if self._writing is not None and self._writing[0] == ticket:
            result = self._writing[1]
        else:
            # Its own batch or, when that could not be written, the one that took its place.
            if self._result is None:
                self._result = AsyncResult()
            result = self._result
        self._waiters += 1
        self._wanted.set()
        # GEVENT: may switch here; the farm goes on meanwhile.
        result.get()

    def _check_disk(self, now: float) -> None:
        """Let those go who wait for a disk that does not answer; it is still being written."""
        if self._writing is not None and now >= self._writing_since + WAIT_SECONDS:
            writing = self._writing
            self._fail_waiting(f"{self.root}: the disk does not answer.")
            self._writing = writing

    def _fail_waiting(self, text: str) -> None:
        """Tell all that wait that what they wait for is not on the disk."""
        self._note_trouble(text)
        results = [self._writing[1] if self._writing is not None else None, self._result]
        self._writing = self._result = None
        for result in results:
            if result is not None and not result.ready():
                result.set_exception(StoreError(text))

    def _check_folder(self) -> None:
        """See that the journal is where it was; in a folder without it everything is written again."""
        if _in_thread(self._threads, self._look_at_folder):
            return
        self._note_trouble(
            f"{self.root}: the folder of the store is gone. Make it again: all is written anew."
        )
        if not self.root.is_dir():
            return
        try:
            _in_thread(self._threads, self._begin_again)
        except (OSError, StoreError) as error:
            self._note_trouble(f"{self.root}: {error}")
            return
        self._capture.take_all(self._farm)
        self._mirror.restart()
        self._wanted.set()

    def _look_at_folder(self) -> bool:
        return self._writer is None or self._writer.look()

    def _begin_again(self) -> None:
        for name in (*KINDS, FOLDER):
            self._disk.make_folder(self.root / name)
        old, self._lock = self._lock, self._disk.lock(self._folder / "lock")
        if old is not None:
            self._disk.close(old)
        if self._lock is None:
            raise StoreError("another server is running on this store.")
        name = begin_again(self._disk, self.root, self._time_created, self._farm.jobs_serial)
        self._writer = Writer(self._disk, self._folder, name, 0, 0, 0)
        self._journal_id = name
        self._write_server_file(self._clock.now())

    def _want_later(self) -> None:
        if self._lazy is None and not self._wanted.is_set():
            self._lazy = gevent.get_hub().loop.timer(LAZY_SECONDS)
            self._lazy.start(self._want_now)

    def _want_now(self) -> None:
        self._lazy = None
        self._wanted.set()

    def _write_loop(self) -> None:
        while not self._closing:
            self._wanted.wait()
            self._wanted.clear()
            if self._lazy is not None:
                self._lazy.stop()
                self._lazy = None
            waiters, self._waiters = self._waiters, 0
            if self._write_batch():
                if waiters >= GATHER_FROM:
                    gevent.sleep(GATHER_SECONDS)
            elif not self._closing:
                gevent.sleep(RETRY_SECONDS)
                self._wanted.set()

    def _write_batch(self) -> bool:
        """Write all that waits; return whether it is on the disk."""
        ticket, result = self._ticket, self._result or AsyncResult()
        self._ticket += 1
        self._result = None
        self._writing, self._writing_since = (ticket, result), self._clock.now()
        batch = self._capture.take_batch()
        try:
            self._write(batch)
        except OSError as error:
            self._put_back(batch)
            self._fail_waiting(f"{self._folder}: {error.strerror or error}")
            return False
        except Exception:
            # Whoever waits must not wait for ever: the third place that catches a bug.
            log.exception("The store's writer caught a bug")
            self._put_back(batch)
            self._fail_waiting("a bug in the store, see the server's log")
            return False
        self._writing = None
        self._written = ticket
        if not result.ready():
            result.set(None)
        return True

    def _write(self, batch: Batch) -> None:
        payload = self._capture.encode(self._farm, batch)
        if not payload and self._error:
            payload = encode_serial(self._farm.jobs_serial)  # to see whether it works again
        if payload:
            self._outputs.hold(batch.outputs)
            # GEVENT: may switch here; the farm goes on, and what changes is in the next batch.
            position = _in_thread(self._threads, self._append, payload)
            self._note_written(batch, position)

    def _put_back(self, batch: Batch) -> None:
        self._capture.put_back(batch)
        outputs = self._capture.batch.outputs
        size = sum(len(output.data) for output in outputs)
        while outputs and size > OUTPUTS_MOST:
            size -= len(outputs.pop(0).data)
            self._lost_outputs += 1

    def _note_written(self, batch: Batch, position: Position) -> None:
        if self._error:
            self._note_recovery()
        self._outputs.note(batch.outputs, position)
        for file in batch.files:
            # The mirror does it too, but clients ask for a thumbnail as soon as they hear of it.
            folder = (
                f"{self._job_folder(file.job_id)}/{layout.task_folder(file.block_num, file.task_num)}/files"
            )
            name = layout.safe_name(file.name)
            gevent.get_hub().threadpool.spawn(self._write_file, folder, name, file.data)
        for removed, _, _ in batch.removed:
            if removed.kind == "jobs":
                self._outputs.note_removed(removed.id, position)

    def _append(self, payload: bytes) -> Position:
        assert self._writer is not None
        began = time.perf_counter()
        position = self._writer.append(payload)
        self._syncs.append(time.perf_counter() - began)
        return position

    def _write_file(self, folder: str, name: str, data: bytes) -> None:
        try:
            self._disk.make_folder(folder)
            self._disk.replace(f"{folder}/{name}", data)
        except OSError as error:
            log.warning("store: a file of a task cannot be written yet: %s", error)

    def _note_trouble(self, text: str) -> None:
        if text != self._error:
            log.error("store: it cannot be written, the farm goes on in memory: %s", text)
            if self.on_trouble is not None:
                self.on_trouble(f"ALARM! The store cannot be written: {text}")
        if not self._error:
            self._error_since = self._clock.now()
        self._error = text

    def _note_recovery(self) -> None:
        log.warning("store: it can be written again, nothing is missing")
        self._error = ""
        if self._lost_outputs:
            log.error("store: %d outputs of tasks are lost, there was no room for them", self._lost_outputs)
            self._lost_outputs = 0
        if self.on_trouble is not None:
            self.on_trouble("The store can be written again.")

    # -- what goes on beside

    def _keep_loop(self) -> None:
        self._mirror.start()
        while not self._closing:
            gevent.sleep(KEEP_SECONDS)
            now = self._clock.now()
            self._check_disk(now)
            self._check_folder()
            self._mirror.look(now)
            self._outputs.forget_before(self._mirror.position)
            if self._error:
                continue
            if self._server_serial != self._farm.jobs_serial or now > self._server_at + SERVER_SECONDS:
                try:
                    _in_thread(gevent.get_hub().threadpool, self._write_server_file, now)
                except OSError as error:
                    log.warning("store: server.json cannot be written: %s", error)

    def _write_server_file(self, now: float) -> None:
        serial = self._farm.jobs_serial
        text = layout.server_text(
            created=self._time_created,
            started=self._started,
            now=int(now),
            serial=serial,
            journal=self._journal_id,
            time_text=lambda when: time.strftime("%Y.%m.%d %H:%M.%S", time.localtime(when)),
        )
        self._disk.replace_synced(self.root / "server.json", text)
        self._server_serial = serial
        self._server_at = now

    # -- outputs and files of tasks

    def output_path(self, job_id: int, block_num: int, task_num: int, start: int) -> Path:
        """Return the file of the output of a start of a task; it may not be there yet."""
        return self._job_folder(job_id) / layout.output_path(block_num, task_num, start)

    def _job_folder(self, job_id: int) -> Path:
        folder = self._capture.folders.get(("jobs", job_id))
        if folder is None:
            job = self._farm.jobs.by_id.get(job_id)
            folder = node_folder("jobs", job_id, job.name if job is not None else "")
        return self.root / folder

    def read_output(self, job_id: int, block_num: int, task_num: int, start: int) -> bytes | str:
        """Return the output of a start of a task, or why it cannot be read (json-api 4.2)."""
        key = (job_id, block_num, task_num, start)
        for output in self._capture.batch.outputs:
            if (output.job_id, output.block_num, output.task_num, output.start) == key:
                return output.data
        return self._outputs.read(key, self.output_path(*key))

    def read_files(
        self, job_id: int, block_num: int, task_num: int, contents: bool
    ) -> list[tuple[str, bytes]]:
        """Return the files of a task: full paths, and contents if wanted.

        Block and task -1: the thumbnail of the job.
        """
        if block_num < 0:
            job = self._farm.jobs.by_id.get(job_id)
            paths = [Path(job.thumb_path)] if job is not None and job.thumb_path else []
            if paths and not layout.is_below(paths[0], self.root / "jobs"):
                paths = []
            return _in_thread(gevent.get_hub().threadpool, _read_files, paths, contents)
        folder = self._job_folder(job_id) / layout.task_folder(block_num, task_num) / "files"
        return _in_thread(gevent.get_hub().threadpool, _read_folder, folder, contents)

    # -- stop and state

    def flush(self) -> None:
        """Write all that waits.

        Raises:
            StoreError: It cannot be written.
        """
        ticket = self._ticket
        self.wait(ticket)

    def close(self, seconds: float = STOP_SECONDS) -> None:
        """Write everything, and all files of the original's layout; return when they are there.

        Args:
            seconds: The files are waited for so long; what is missing then is written by a process of its own.
        """
        if self._writer is None:
            return
        self._closing = True
        if self._keeper_loop is not None:
            self._keeper_loop.kill()
        self._wanted.set()
        self._writer_loop.join()
        self._capture.take(self._farm)
        self._capture.add_logs(self._farm)
        if not self._write_batch():
            log.error("store: the last changes are not on the disk: %s", self._error)
        _in_thread(self._threads, self._writer.close)
        self._mirror.stop(seconds)
        try:
            self._write_server_file(self._clock.now())
        except OSError as error:
            log.warning("store: server.json cannot be written: %s", error)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def refusal(self) -> str:
        """Return why new jobs cannot be kept; empty: they can."""
        return f"The store cannot be written: {self._error}" if self._error else ""

    def state(self) -> dict[str, Any]:
        """Return numbers for health and metrics."""
        writer = self._writer
        end = writer.position if writer is not None else Position(0, 0)
        behind = self._mirror.position
        segments = max(end.segment - behind.segment, 0)
        syncs = sorted(self._syncs)
        batch = self._capture.batch
        return {
            "healthy": not self._error,
            "error": self._error,
            "error_since": int(self._error_since) if self._error else 0,
            "queue": len(batch.nodes) + len(batch.tasks) + len(batch.removed) + len(batch.outputs),
            "behind_bytes": max(segments * journal.SEGMENT_MOST + end.offset - behind.offset, 0),
            "written_bytes": writer.written if writer is not None else 0,
            "sync_ms": round(syncs[len(syncs) // 2] * 1000, 3) if syncs else 0.0,
            "sync_ms_max": round(syncs[-1] * 1000, 3) if syncs else 0.0,
            "mirror_runs": self._mirror.runs(),
        }


def _in_thread(threads: ThreadPool, work: Callable[..., T], *args: Any) -> T:
    """Return what a call returns, or raise what it raises, while other greenlets run.

    An error of the disk is brought here as a value: gevent prints what is raised in its threads.
    """
    outcome: tuple[Any, Exception | None] = threads.apply(_outcome, (work, args))
    if outcome[1] is not None:
        raise outcome[1]
    value: T = outcome[0]
    return value


def _outcome(work: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return work(*args), None
    except (OSError, StoreError) as error:
        return None, error


def _read_folder(folder: Path, contents: bool) -> list[tuple[str, bytes]]:
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []
    return _read_files(paths, contents)


def _read_files(paths: list[Path], contents: bool) -> list[tuple[str, bytes]]:
    found = []
    for path in paths:
        try:
            found.append((str(path), path.read_bytes() if contents else b""))
        except OSError:
            continue
    return found
