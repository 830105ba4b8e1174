"""Commands for users and for branches: both own jobs."""

from functools import partial

from afanasy_py.afcmd.command import Session, Words, add, chosen, command, integers, operation
from afanasy_py.afcmd.nodes import the_id
from afanasy_py.errors import RequestError

# -- users

operation("users", "delete", "Delete users that have no jobs; others stay, without a word.", alias="udel")


@command("users add", "<name>", alias="uadd")
def add_user(session: Session, words: Words) -> None:
    """Make a user before his first job."""
    if not words["<name>"]:
        raise RequestError("a user needs a name")
    answer = session.ask({"user": {"name": words["<name>"]}})
    session.show(answer, f"User {answer['user']['name']} has the id {answer['user']['id']}.")


@command("users jobs", "<user>", alias="ujobs")
def jobs_order(session: Session, words: Words) -> None:
    """Show the ids of a user's jobs in the order in which they are solved."""
    answer = session.get("users", ids=[the_id(session, "users", words["<user>"])], mode="jobs_order")
    orders = answer.get("events", {}).get("jobs_order", {}).get("jids", [])
    session.show(answer, "\n".join(" ".join(map(str, order)) for order in orders))


def _move(name: str, session: Session, words: Words) -> None:
    jobs = [number for word in words["<job>"] for number in integers(word)]
    session.act("users", chosen(words["<user>"]), operation={"type": name, "jids": jobs})


for _where, _about in (
    ("up", "Move jobs up by one."),
    ("down", "Move jobs down by one."),
    ("top", "Move jobs to the top."),
    ("bottom", "Move jobs to the bottom."),
):
    _name = f"move_jobs_{_where}"
    _about = _about[:-1] + ", among those of equal priority."
    add(f"users {_name}", "<user> <job>...", partial(_move, _name), _about)

# -- branches

operation("branches", "pause", "Start no more tasks of jobs below.")
operation("branches", "start", "Start tasks of jobs below again.")
operation("branches", "delete", "Delete branches that have no jobs and no branches.")
operation("branches", "delete_done_jobs", "Delete done jobs of branches, not of those below.")
