"""Commands for the statistics database. They talk to it themselves, so no server has to run."""

from functools import partial
from pathlib import Path

from afanasy_py.afcmd.command import Session, Words, add
from afanasy_py.errors import RequestError


def _run(name: str, session: Session, words: Words) -> None:
    from afanasy_py import afcmd_db
    from afanasy_py.stats.schema import Lengths

    settings = session.config.settings
    further = [word for word in ("--all",) if words.get(word)]
    if words.get("<x>") is not None:
        further.append(words["<x>"])
    text, code = afcmd_db.run(
        name,
        settings.af_db_conninfo,
        further,
        lengths=Lengths(name=settings.af_db_stringnamelen, expr=settings.af_db_stringexprlen),
        store_dir=Path(settings.af_store_folder),
    )
    if code:
        raise RequestError(text.strip())
    session.show({"text": text}, text)


_ALL = (("--all", "Drop all other tables of the database, too, as the C++ afcmd does."),)

for _name, _args, _about in (
    ("db_check", "", "Check the connection to the database."),
    ("db_reset_all", "", "Make all tables anew; what they hold is lost."),
    ("db_reset_jobs", "", "Make the table of jobs anew."),
    ("db_reset_tasks", "", "Make the table of tasks anew."),
    ("db_reset_logs", "", "Make the table of logs anew."),
    ("db_updatetables", "[<x>]", "Add tables and columns that are missing; with any <x> only show them."),
):
    _options = _ALL if _name == "db_reset_all" else ()
    add(_name, _args, partial(_run, _name), _about, options=_options, alias=_name)
