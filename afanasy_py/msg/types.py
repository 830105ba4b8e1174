"""Numbers and words of protocol 81: message types, limits, and the bits, names and texts that travel.

Knows nothing of layouts. Source: spec wire-protocol 1.2, 2, 4; json-api 11.
"""

from enum import IntEnum, IntFlag

#: Protocol version in the header of every binary message.
VERSION = 81

#: Bytes of a binary header: version, type, value or length.
HEADER_SIZE = 12

#: The greatest whole message and the greatest data of one.
MAX_MESSAGE = 16384 * 4096
MAX_DATA = MAX_MESSAGE - HEADER_SIZE

#: The most tasks that a render may speak of in one message, so that no render keeps the server busy.
MAX_RENDER_TASKS = 10_000

#: Types below this one carry a value in the header and no data.
FIRST_TYPE_WITH_DATA = 21


class MsgType(IntEnum):
    """Message types; the numbers are in the header of a binary message."""

    TNULL = 0
    TVersionMismatch = 1
    TInvalid = 2
    TConfirm = 3
    TStatRequest = 4
    TMonitorId = 5
    TMonitorUpdateId = 6
    TMonitorDeregister = 7
    TRenderId = 8
    TRenderDeregister = 9
    TJobsWeightRequest = 10
    TRESERVED00 = 11
    TRESERVED01 = 12
    TRESERVED02 = 13
    TRESERVED03 = 14
    TRESERVED04 = 15
    TRESERVED05 = 16
    TRESERVED06 = 17
    TRESERVED07 = 18
    TRESERVED08 = 19
    TRESERVED09 = 20
    TDATA = 21
    TTESTDATA = 22
    TJSON = 23
    TJSONBIN = 24
    THTTP = 25
    THTTPGET = 26
    TString = 27
    TStringList = 28
    TInfo = 29
    TStatData = 30
    TMonitor = 31
    TMonitorsList = 32
    TMonitorEvents = 33
    TRenderRegister = 34
    TRenderUpdate = 35
    TRenderEvents = 36
    TRendersResourcesRequestIds = 37
    TRendersList = 38
    TRendersResources = 39
    TUsersList = 40
    TUserJobsOrder = 41
    TBranchesList = 42
    TPoolsList = 43
    TJobsList = 44
    TJobProgress = 45
    TJobsWeight = 46
    TJob = 47
    TBlocksProgress = 48
    TBlocksProperties = 49
    TBlocks = 50
    TTask = 51
    TTaskFiles = 52
    TRESERVED10 = 53
    TRESERVED11 = 54
    TRESERVED12 = 55
    TRESERVED13 = 56
    TRESERVED14 = 57
    TRESERVED15 = 58
    TRESERVED16 = 59
    TRESERVED17 = 60
    TRESERVED18 = 61
    TRESERVED19 = 62
    TLAST = 63


class TaskStatus(IntEnum):
    """What a render (or the server itself) says about a running task."""

    NULL = 0
    NoUpdate = 1
    Started = 2
    Percent = 3
    Warning = 4
    FinishedSuccess = 5
    FinishedError = 6
    FinishedKilled = 7
    FinishedParserError = 8
    FinishedParserFatalError = 9
    FinishedParserBadResult = 10
    FinishedParserSuccess = 11
    FinishedFailedPost = 12
    BadRenderedFiles = 13
    RenderDeregister = 14
    RenderExit = 15
    RenderZombie = 16
    TimeOut = 17
    MaxRunTime = 18
    Stop = 19
    Skip = 20
    Restart = 21
    Eject = 22
    FailedToStart = 23
    NoTaskRunning = 24
    NoJob = 25
    LAST = 26


class TaskKind(IntEnum):
    """What a Task message brings."""

    NULL = 0
    Exec = 1
    Output = 2
    Log = 3
    ErrorHosts = 4
    Listen = 5


#: `type` of a task object in JSON, by TaskKind.
TASK_KIND_NAMES = ("TNULL", "TExec", "TOutput", "TLog", "TErrorHosts", "TListen")


class State(IntFlag):
    """State bits of jobs, blocks and tasks."""

    RDY = 1 << 0
    RUN = 1 << 1
    WDP = 1 << 2
    WTM = 1 << 3
    DON = 1 << 4
    ERR = 1 << 5
    STO = 1 << 6
    STE = 1 << 7
    SKP = 1 << 8
    OFF = 1 << 9
    WRN = 1 << 10
    PER = 1 << 11
    PBR = 1 << 12
    PSC = 1 << 13
    FAILED_POST = 1 << 14
    BAD_FILES = 1 << 15
    PPA = 1 << 16
    RER = 1 << 17
    WRC = 1 << 18
    TRY = 1 << 19
    SUS = 1 << 20
    PARSER_FATAL = 1 << 21


#: Names of state bits in the order in which the text shows them; the other bits have no name.
STATE_NAMES: tuple[tuple[int, str], ...] = tuple(
    (State[name].value, name)
    for name in (
        "RDY", "RUN", "DON", "ERR", "SKP", "OFF", "WRN", "PER", "PBR", "PSC",
        "WDP", "WTM", "STO", "STE", "PPA", "RER", "WRC", "TRY", "SUS",
    )
)  # fmt: skip


class RenderState(IntFlag):
    """State bits of renders."""

    ONLINE = 1 << 0
    NIMBY_OWN = 1 << 1
    NIMBY_ALL = 1 << 2
    BUSY = 1 << 3
    DIRTY = 1 << 4
    WOL_FALLING = 1 << 5
    WOL_SLEEPING = 1 << 6
    WOL_WAKING = 1 << 7
    PAUSED = 1 << 8
    SICK = 1 << 9


#: Names of render state bits, in the order of the text; a render without the first bit is `OFF`.
RENDER_STATE_NAMES: tuple[tuple[int, str], ...] = (
    (RenderState.ONLINE.value, "ONL"),
    (RenderState.NIMBY_OWN.value, "NbY"),
    (RenderState.NIMBY_ALL.value, "NBY"),
    (RenderState.BUSY.value, "RUN"),
    (RenderState.DIRTY.value, "DRT"),
    (RenderState.WOL_FALLING.value, "WFL"),
    (RenderState.WOL_SLEEPING.value, "WSL"),
    (RenderState.WOL_WAKING.value, "WWK"),
    (RenderState.PAUSED.value, "PAU"),
    (RenderState.SICK.value, "SIC"),
)

POOL_STATE_NAMES: tuple[tuple[int, str], ...] = ((1, "RUN"), (2, "PAU"))

#: The only state bit of a user.
USER_PAUSED = 1


class NodeFlag(IntFlag):
    """Flags of every node; the high ones belong to jobs."""

    ZOMBIE = 1 << 0
    HIDDEN = 1 << 1
    PPA = 1 << 32
    MAINTENANCE = 1 << 33
    IGNORE_NIMBY = 1 << 34
    IGNORE_PAUSED = 1 << 35
    APPENDED_BLOCKS = 1 << 36


class WorkFlag(IntFlag):
    """How a branch, user or job is solved and how it reads its host masks."""

    SOLVE_PRIORITY = 1 << 0
    SOLVE_CAPACITY = 1 << 1
    MASK_FIND = 1 << 2
    MASK_REGEX = 1 << 3


class BranchFlag(IntFlag):
    """Flags of branches."""

    CREATE_CHILDS = 1 << 0
    SOLVE_JOBS = 1 << 1
    PAUSED = 1 << 2


class BlockFlag(IntFlag):
    """Flags of blocks; unknown bits are kept."""

    NUMERIC = 1 << 0
    VAR_CAPACITY = 1 << 1
    MULTIHOST = 1 << 2
    MASTER_ON_SLAVE = 1 << 3
    DEPEND_SUB_TASK = 1 << 4
    SKIP_THUMBNAILS = 1 << 5
    SKIP_EXISTING_FILES = 1 << 6
    CHECK_RENDERED_FILES = 1 << 7
    SLAVE_LOST_IGNORE = 1 << 8
    APPENDED_TASKS = 1 << 9
    SUSPEND_NEW_TASKS = 1 << 10


#: Bit 0 of TaskExec.flags: send the output, somebody listens.
EXEC_LISTENED = 1

#: What monitors may hear of, in wire order; the fourth is a placeholder that nobody uses.
EVENT_NAMES = (
    "jobs_add", "jobs_change", "jobs_del", "JOBS_COUNT",
    "users_add", "users_change", "users_del",
    "renders_add", "renders_change", "renders_del",
    "monitors_add", "monitors_change", "monitors_del",
    "branches_add", "branches_change", "branches_del",
    "pools_add", "pools_change", "pools_del",
)  # fmt: skip

#: How much of a block changed: the message type that brings that much, and the word in JSON.
BLOCK_MODES = {
    MsgType.TBlocksProgress: "progress",
    MsgType.TBlocksProperties: "properties",
    MsgType.TBlocks: "full",
}


class _Texts(dict[int, str]):
    """{state bits: text}, filled on demand and emptied when it has grown too big."""

    #: Texts kept; farms show some dozens of different states.
    LIMIT = 4096

    def __init__(self, names: tuple[tuple[int, str], ...], without_first: str = "") -> None:
        super().__init__()
        self._names = names
        self._without_first = without_first

    def __missing__(self, st: int) -> str:
        text = "".join(f" {name}" for bit, name in self._names if st & bit)
        if self._without_first and not st & self._names[0][0]:
            text = f" {self._without_first}{text}"
        if len(self) >= self.LIMIT:
            self.clear()
        self[st] = text
        return text


_STATE_TEXTS = _Texts(STATE_NAMES)
_RENDER_STATE_TEXTS = _Texts(RENDER_STATE_NAMES, "OFF")
_POOL_STATE_TEXTS = _Texts(POOL_STATE_NAMES)


def state_text(st: int) -> str:
    """Return the names of the state bits of a job, block or task, a space before each."""
    return _STATE_TEXTS[st]


def render_state_text(st: int) -> str:
    """Return the names of the state bits of a render, a space before each."""
    return _RENDER_STATE_TEXTS[st]


def pool_state_text(st: int) -> str:
    """Return the names of the state bits of a pool, a space before each."""
    return _POOL_STATE_TEXTS[st]
