"""Commands for the farm as a whole: a summary, sending a job, messages, configuration, any request."""

from collections.abc import Iterator

from afanasy_py.afcmd.command import Session, UsageError, Words, command
from afanasy_py.afcmd.jobs import read_json
from afanasy_py.afcmd.tables import moment, text_of
from afanasy_py.client import Json, NoAnswerError
from afanasy_py.errors import RequestError


@command("farm")
def farm(session: Session, _words: Words) -> None:
    """Show a summary: jobs, tasks and hosts by state, and used capacity.

    Asked of this server; the C++ one has no such answer.
    """
    answer = session.get("farm")
    session.show(answer, "\n".join(_summary(answer.get("farm", {}))))


def _summary(farm: Json) -> Iterator[str]:
    width = max(map(len, farm), default=0)
    for name, value in farm.items():
        shown = (
            moment(value) if name == "time" else _counts(value) if isinstance(value, dict) else text_of(value)
        )
        yield f"{name.ljust(width)}  {shown}".rstrip()


def _counts(counts: Json) -> str:
    """Return numbers of a kind of things: the total, then its parts."""
    rest = {key.replace("_", " "): value for key, value in counts.items() if key != "total"}
    return "  ".join(
        [str(counts.get("total", "")), *(f"{key}: {value}" for key, value in rest.items())]
    ).strip()


@command(
    "submit",
    "<file>",
    options=(
        ("--token=TEXT", "Sent again within a day, the same text gives the same job, no second one."),
        ("--name=NAME", "Name of the job, in place of the one in the file."),
        ("--paused", "Do not start it."),
    ),
)
def submit(session: Session, words: Words) -> None:
    """Send a job that a JSON file describes, and show its id.

    The file has the job itself or {"job": {...}}; `-` is standard input. User and host that it does not name
    are those of --user and this machine.
    """
    job = read_json(words["<file>"])
    if isinstance(job, dict) and isinstance(job.get("job"), dict):
        job = job["job"]
    if not isinstance(job, dict):
        raise UsageError(f"{words['<file>']}: not a job, which is an object")
    job = {"user_name": session.user_name, "host_name": session.host_name, **job}
    for option, member in (("--token", "token"), ("--name", "name")):
        if words[option]:
            job[member] = words[option]
    if words["--paused"]:
        job["offline"] = True
    answer = session.ask({"job": job})
    if not answer.get("id"):
        raise RequestError("the server has refused the job")
    session.show(answer, str(answer["id"]))


@command("announce", "<text>")
def announce(session: Session, words: Words) -> None:
    """Show a text in all GUIs."""
    if not words["<text>"]:
        raise UsageError("there is no text")
    answer = session.ask({"announce": words["<text>"]})
    session.show(answer, "Sent.")


@command("reload_config", alias="cload")
def reload_config(session: Session, _words: Words) -> None:
    """Let the server read its configuration again."""
    answer = session.ask({"reload_config": True})
    session.show(answer, str(answer.get("success") or answer.get("reload_config") or "Done."))


@command("config")
def config(session: Session, _words: Words) -> None:
    """Show the configuration files that the server has read, and its environment, as JSON."""
    session.show_json(session.get("config"))


@command("files", "<path>")
def files(session: Session, words: Words) -> None:
    """List a folder of the files that the server has for browsers."""
    answer = session.get("files", path=words["<path>"])
    session.show(answer, "\n".join(sorted(map(str, answer.get("files", [])))))


@command("json", "<file>")
def any_request(session: Session, words: Words) -> None:
    """Send any request that a JSON file has, and show the answer as JSON; `-` is standard input."""
    request = read_json(words["<file>"])
    if not isinstance(request, dict):
        raise UsageError(f"{words['<file>']}: not an object")
    try:
        answer = session.ask(request)
    except NoAnswerError:
        answer = {}  # as it is for a monitor that goes
    session.show_json(answer)
