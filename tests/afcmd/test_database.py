from afanasy_py import afcmd_db
from afanasy_py.afcmd.command import COMMANDS


def test_each_database_command_is_there() -> None:
    assert {name for name in COMMANDS if name.startswith("db_")} == set(afcmd_db.COMMANDS)


def test_words_and_settings_reach_the_database_and_its_failure_is_an_exit_code(
    afcmd, server, monkeypatch
) -> None:
    seen = []

    def run(command, conninfo, words=(), **more):
        seen.append((command, conninfo, list(words), sorted(more)))
        return ("CREATE TABLE x;\n", 0) if command == "db_updatetables" else ("AFERROR: no\n", 1)

    monkeypatch.setattr(afcmd_db, "run", run)
    monkeypatch.setenv("CGRU_AF_DB_CONNINFO", "host=nowhere")
    assert afcmd("db_updatetables", "x") == (0, "CREATE TABLE x;\n", "")
    assert afcmd("db_reset_all", "--all") == (1, "", "afcmd: AFERROR: no\n")
    afcmd("db_check")
    more = ["lengths", "store_dir"]
    assert seen == [
        ("db_updatetables", "host=nowhere", ["x"], more),
        ("db_reset_all", "host=nowhere", ["--all"], more),
        ("db_check", "host=nowhere", [], more),
    ]
    assert server.asked == []
