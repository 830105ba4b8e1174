import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.arguments import parse_arguments
from afanasy_py.config import Config, config_answer, load_config, reload_config
from afanasy_py.errors import ConfigError
from afanasy_py.machine import CGRU_VERSION, find_platform
from afanasy_py.settings import ROWS, Settings

Write = Callable[[str, Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a config file below the temporary folder: a text, or keys as a dict."""

    def _write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = json.dumps({"cgru_config": content})
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    (tmp_path / "cgru").mkdir()
    return {
        "CGRU_LOCATION": str(tmp_path / "cgru"),
        "HOME": str(tmp_path / "home"),
        "HOSTNAME": "WS01.farm.test",
        "USER": "Artist",
    }


def load(environ: dict[str, str], *words: str, executable: str = "/nowhere/bin/afserver") -> Config:
    return load_config(parse_arguments(words), environ, executable)


def texts(config: Config, level: int = logging.WARNING) -> list[str]:
    return [message.text for message in config.messages if message.level >= level]


def test_without_any_file_the_defaults_hold(tmp_path: Path) -> None:
    config = load({"HOME": str(tmp_path)})
    assert config.settings == Settings()
    assert config.texts == ()
    assert texts(config) == []
    assert config.machine.location == ""
    assert config.machine.version == CGRU_VERSION
    assert config.serve_dir == ""
    assert config.digest_file == ""


def test_later_places_beat_earlier_ones(environ: dict[str, str], write: Write) -> None:
    environ["CGRU_CUSTOM_CONFIG"] = str(write("custom.json", {}))
    includes: dict[str, dict[str, Any]] = {
        "cgru/config_default.json": {"include": ["afanasy/config_default.json", "config.json"]},
        "cgru/config.json": {"include": ["more/deep.json"]},
    }
    order = (
        "cgru/config_default.json",
        "cgru/afanasy/config_default.json",
        "cgru/config.json",
        "cgru/more/deep.json",
        "custom.json",
        "home/.cgru/config.json",
    )
    for name in order:
        write(name, includes.get(name, {}))
    for priority, name in enumerate(order):
        write(name, {"af_priority": priority} | includes.get(name, {}))
        assert load(environ).settings.af_priority == priority, name
    environ["CGRU_AF_PRIORITY"] = "6"
    assert load(environ).settings.af_priority == 6
    assert load(environ, "--af_priority", "7").settings.af_priority == 7


def test_sections_of_the_platform_beat_plain_keys_and_the_later_token_wins(
    environ: dict[str, str], write: Write
) -> None:
    general, *_, special = find_platform()
    write(
        "cgru/config_default.json",
        {
            f"OS_{special}": {"af_serverport": 3},
            f"OS_{general}": {"af_serverport": 2, "af_priority": 2},
            "OS_amiga": {"af_priority": 9},
            "af_serverport": 1,
            "af_priority": 1,
        },
    )
    settings = load(environ).settings
    assert (settings.af_serverport, settings.af_priority) == (3, 2)


def test_of_equal_keys_the_first_counts(environ: dict[str, str], write: Write) -> None:
    write("cgru/config_default.json", '{"cgru_config":{"":"a","af_priority":1,"":"b","af_priority":2}}')
    assert load(environ).settings.af_priority == 1


def test_a_byte_order_mark_is_skipped_and_not_handed_on(environ: dict[str, str], write: Write) -> None:
    write("cgru/config_default.json", b'\xef\xbb\xbf{"cgru_config":{"af_priority":1}}')
    config = load(environ)
    assert config.settings.af_priority == 1
    assert config.texts == ('{"cgru_config":{"af_priority":1}}',)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"cgru_config":{"af_priority":1,}}', "has error"),
        ('{"cgru_config":{"af_priority":1}} // end', "has error"),
        ('/* */{"cgru_config":{"af_priority":1}}', "has error"),
        ('{"cgru_config":{"af_priority":1,"x":NaN}}', "has error"),
        ("[" * 100_000, "nested too deeply"),
        ("", "File is empty"),
        ('{"config":{"af_priority":1}}', "Can't find document root"),
        ("[1]", "Can't find document root"),
        ('{"cgru_config":[{"af_priority":1}]}', "Can't find document root"),
    ],
)
def test_a_bad_file_is_left_out_with_an_error(
    environ: dict[str, str], write: Write, text: str, message: str
) -> None:
    path = write("cgru/config_default.json", text)
    write("home/.cgru/config.json", {"af_wolwake_interval": 5})
    config = load(environ)
    assert config.settings.af_priority == 99
    assert config.settings.af_wolwake_interval == 5
    (line,) = texts(config, logging.ERROR)
    assert message in line
    assert str(path) in line


def test_a_missing_included_file_is_said_and_one_read_twice_is_harmless(
    environ: dict[str, str], write: Write
) -> None:
    home = write("home/.cgru/config.json", {"af_priority": 5})
    environ["CGRU_CUSTOM_CONFIG"] = str(home)
    write("cgru/config_default.json", {"include": ["config_default.json", "none.json"]})
    config = load(environ)
    assert config.settings.af_priority == 5
    assert texts(config) == [f'Config file does not exist: "{environ["CGRU_LOCATION"]}/none.json"']
    assert [line for line in texts(config, logging.INFO) if "already" in line] == [
        f'Config file already included: "{environ["CGRU_LOCATION"]}/config_default.json"',
        f'Config file already included: "{home}"',
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("af_priority", "5"),
        ("af_priority", 5.0),
        ("af_priority", True),
        ("af_priority", None),
        ("af_priority", 2**31),
        ("af_store_durable", 0),
        ("af_store_folder", 5),
        ("af_ip_trust", "*.*"),
    ],
)
def test_a_wrong_type_is_ignored_with_a_warning(
    environ: dict[str, str], write: Write, key: str, value: object
) -> None:
    path = write("cgru/config_default.json", {key: value})
    config = load(environ)
    assert getattr(config.settings, key) == ROWS[key].default
    (line,) = texts(config)
    assert line.startswith(f"{key}: ")
    assert str(path) in line


def test_lists_take_texts_only(environ: dict[str, str], write: Write) -> None:
    write("cgru/config_default.json", {"af_http_hosts": ["a", 1, "b"]})
    assert load(environ).settings.af_http_hosts == ("a", "b")


@pytest.mark.parametrize(
    ("key", "text", "value", "warned"),
    [
        ("af_priority", "12", 12, False),
        ("af_priority", " -3", -3, False),
        ("af_priority", "12abc", 12, True),
        ("af_priority", "abc", 0, True),
        ("af_priority", "9" * 30, 2**31 - 1, True),
        ("af_store_durable", "0", False, False),
        ("af_store_durable", "false", False, False),
        ("af_store_durable", "1", True, False),
        ("af_store_durable", "true", True, False),
        ("af_store_durable", "maybe", False, True),
        ("af_http_hosts", "a,b", ("a", "b"), False),
        ("af_http_hosts", "", (), False),
        ("af_priority", "", 99, False),
        ("timeformat", "%H", "%H", False),
    ],
)
def test_variables_and_arguments_are_texts(
    environ: dict[str, str], write: Write, key: str, text: str, value: object, warned: bool
) -> None:
    write("cgru/config_default.json", {})
    by_argument = load(environ, f"--{key}", text)
    environ[f"CGRU_{key.upper()}"] = text
    by_variable = load(environ)
    for config in (by_argument, by_variable):
        assert getattr(config.settings, key) == value
        assert bool(texts(config)) == warned


def test_a_number_out_of_range_stops_the_start(environ: dict[str, str], write: Write) -> None:
    path = write("cgru/config_default.json", {"af_serverport": 65536})
    with pytest.raises(ConfigError, match="af_serverport: 65536 is not between 0 and 65535") as caught:
        load(environ)
    assert str(path) in str(caught.value)


def test_a_bad_mask_is_an_error_but_the_others_hold(environ: dict[str, str], write: Write) -> None:
    write("cgru/config_default.json", {"af_ip_trust": ["10.*", "bad", "::1"]})
    config = load(environ)
    assert [mask.head for mask in config.trusted] == [b"\x0a"]
    assert config.failed
    assert len(texts(config, logging.ERROR)) == 2


def test_a_reload_keeps_what_is_gone_and_what_needs_a_restart(environ: dict[str, str], write: Write) -> None:
    write("cgru/config_default.json", {"af_priority": 1, "af_wolwake_interval": 2, "af_serverport": 3})
    old = load(environ)
    write("cgru/config_default.json", {"af_wolwake_interval": 4, "af_serverport": 5})
    new = reload_config(old, environ)
    assert new.settings.af_priority == 1
    assert new.settings.af_wolwake_interval == 4
    assert new.settings.af_serverport == 3
    assert texts(new) == ["af_serverport: the new value waits for a restart."]
    write("cgru/config_default.json", "{broken")
    broken = reload_config(new, environ)
    assert broken.settings == new.settings
    assert broken.texts == ()


def test_names_come_from_arguments_then_variables_then_the_machine(
    environ: dict[str, str], write: Write
) -> None:
    write("cgru/config_default.json", {"af_render_cut_domain_name": True})
    config = load(environ)
    assert (config.hostname, config.username) == ("ws01", "artist")
    environ |= {"AF_HOSTNAME": "Env.Host", "AF_USERNAME": "Env"}
    config = load(environ)
    assert (config.hostname, config.username) == ("Env.Host", "Env")
    config = load(environ, "-hostname", "h", "-username", "u")
    assert (config.hostname, config.username) == ("h", "u")
    assert config.machine.computer == "WS01.farm.test"


def test_domains_are_cut_unless_a_setting_says_no(environ: dict[str, str], write: Write) -> None:
    environ["USER"] = r"STUDIO\Artist"
    write("cgru/config_default.json", {})
    assert load(environ).username == "artist"
    write("cgru/config_default.json", {"af_render_cut_domain_name": False, "af_user_cut_domain_name": False})
    config = load(environ)
    assert (config.hostname, config.username) == ("ws01.farm.test", r"studio\artist")


def test_the_tree_is_found_above_the_executable(tmp_path: Path, write: Write) -> None:
    write("tree/version.txt", "3.4.1\n")
    write("tree/config_default.json", {"af_priority": 7})
    home = {"HOME": str(tmp_path)}
    near = load(home, executable=str(tmp_path / "tree/afanasy/bin/afserver"))
    assert near.machine.location == str(tmp_path / "tree")
    assert near.settings.af_priority == 7
    assert near.serve_dir == near.machine.location
    assert near.digest_file == str(tmp_path / "tree/.htdigest")
    by_root = load(home | {"AF_ROOT": str(tmp_path / "tree/afanasy")})
    assert by_root.machine.location == near.machine.location


def test_a_location_that_is_no_folder_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CGRU_LOCATION: there is no such folder"):
        load({"CGRU_LOCATION": str(tmp_path / "none"), "HOME": str(tmp_path)})


def test_another_version_is_an_error_in_the_log(environ: dict[str, str], write: Write) -> None:
    write("cgru/config_default.json", {})
    environ["CGRU_VERSION"] = "3.3.0"
    assert texts(load(environ), logging.ERROR) == [
        "CGRU environment and server versions mismatch: 3.3.0 and 3.4.1."
    ]
    environ["CGRU_VERSION"] = "3.4.1 studio"
    assert texts(load(environ), logging.ERROR) == []


@pytest.mark.parametrize("access", [False, True])
def test_with_access_control_no_digest_of_a_password_goes_out(
    environ: dict[str, str], write: Write, access: bool
) -> None:
    write(
        "cgru/config_default.json",
        b'{"cgru_config":{"af_access":%b,"pswd_visor":"c0ffee","pswd_god" : "c0ffee","-pswd_new":"c0ffee"}}'
        % (b"true" if access else b"false"),
    )
    answer = config_answer(load(environ))
    # GUIs of a farm without access control ask for these passwords themselves.
    assert answer.count("c0ffee") == (0 if access else 3)
    assert json.loads(answer)["cgru_config"][0]["cgru_config"]["af_access"] is access


def test_the_answer_has_the_files_and_the_environment_but_no_password(
    environ: dict[str, str], write: Write
) -> None:
    write(
        "cgru/config_default.json",
        b'\xef\xbb\xbf{"cgru_config":{"":"x","af_db_conninfo" : "password=\\"secret\\"","af_priority":1,'
        b'"-af_db_conninfo":"password=secret"}}\n',
    )
    environ["CGRU_VERSION"] = "3.4.1"
    config = load(environ)
    answer = config_answer(config)
    assert "secret" not in answer
    file, environment = json.loads(answer)["cgru_config"]
    assert file["cgru_config"]["af_priority"] == 1
    assert file["cgru_config"]["af_db_conninfo"] == ""
    said = environment["cgru_environment"]
    assert list(said) == [
        "version",
        "builddate",
        "buildrevision",
        "platform",
        "hostname",
        "username",
        "location",
        "servedir",
    ]
    assert said["version"] == "3.4.1"
    assert said["hostname"] == "WS01.farm.test"
    assert said["username"] == "artist"
    assert said["location"] == said["servedir"] == environ["CGRU_LOCATION"]
    assert answer.startswith('{"cgru_config":[{"cgru_config":{"":"x"')
    assert '}}\n,\n{"cgru_environment":{"version":"3.4.1",' in answer


def test_the_files_that_cgru_ships_give_our_defaults(shared_dir: Path, tmp_path: Path) -> None:
    tree = shared_dir / "golden" / "config"
    config = load({"CGRU_LOCATION": str(tree), "HOME": str(tmp_path), "CGRU_VERSION": "3.4.1"})
    differing = {
        key
        for key in ROWS
        if getattr(config.settings, key) != getattr(Settings(), key) and not ROWS[key].unused
    }
    assert differing == {"af_db_conninfo"}
    assert len(config.texts) == 2
    assert len(json.loads(config_answer(config))["cgru_config"]) == 3
    assert texts(config) == [f'Config file does not exist: "{tree}/config.json"']
