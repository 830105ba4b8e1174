"""Runs tasks of an Afanasy server on this machine.

Usage: afrender-py [options]

Options:
  -s --server=HOST     Server, else setting af_servername, else this machine.
  -p --port=PORT       Its port, else setting af_serverport, else 51000.
  -n --name=NAME       Name of this render, else that of the machine.
  -u --user=NAME       Name of its user, else that of the process.
  --nimby              Run tasks of this user only.
  --NIMBY              Run no tasks.
  --services=DIR       Folder with services and parsers of your own; several are separated as in PATH.
  --store=DIR          Folder for files of running tasks, else a temporary one.
  --nice=N             Niceness of tasks [default: 10].
  -v --verbose         Log more.
  -h --help            Show this text.

Services are taken from --services, then of a CGRU tree (CGRU_LOCATION, AF_ROOT), then from those that come
with this program. What this host may run at once is a setting of its pool and of the server, not of the host.
"""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from docopt import docopt

from afanasy_py import logs, paths
from afanasy_py.clock import Clock
from afanasy_py.config_files import Reading
from afanasy_py.errors import ConfigError
from afanasy_py.machine import Machine, short_host_name, short_user_name
from afanasy_py.msg.types import RenderState
from afanasy_py.reach import make_reach
from afanasy_py.render import client
from afanasy_py.render.host import Identity, RenderHost
from afanasy_py.render.services import ServiceLoader, cgru_python_dirs

log = logging.getLogger(__name__)

DEFAULT_PORT = 51000
LOG_TIME = "%a %d %b %H:%M.%S"

#: Options as the original render host has them.
ALIASES = {"-hostname": "--name", "-username": "--user", "-nimby": "--nimby", "-NIMBY": "--NIMBY"}


def read_variables(environ: Mapping[str, str], machine: Machine) -> dict[str, Any]:
    """Return what the config files say, and the environment variables ``CGRU_<KEY>`` on top."""
    files = Reading()
    if machine.location:
        files.read(str(Path(machine.location) / "config_default.json"), machine.platform)
    if environ.get("CGRU_CUSTOM_CONFIG"):
        files.read(environ["CGRU_CUSTOM_CONFIG"], machine.platform)
    files.read(str(Path(machine.home) / ".cgru" / "config.json"), machine.platform, optional=True)
    for message in files.messages:
        log.log(message.level, "%s", message.text)
    variables: dict[str, Any] = {}
    for section in files.sections:
        variables.update(section.values)
    prefix = "CGRU_"
    variables.update({k.removeprefix(prefix).lower(): v for k, v in environ.items() if k.startswith(prefix)})
    return variables


def address_of(options: Mapping[str, Any], variables: Mapping[str, Any]) -> tuple[str, int]:
    """Return host and port of the server.

    Raises:
        SystemExit: The port is no number.
    """
    host = options["--server"] or str(variables.get("af_servername") or "") or "127.0.0.1"
    port = options["--port"] or variables.get("af_serverport") or DEFAULT_PORT
    try:
        return host, int(port)
    except ValueError:
        sys.exit(f"afrender-py: port is not a number: {port}")


def identity_of(options: Mapping[str, Any], machine: Machine, environ: Mapping[str, str]) -> Identity:
    """Return who this host is."""
    state = int(RenderState.ONLINE)
    state |= RenderState.NIMBY_OWN if options["--nimby"] else 0
    state |= RenderState.NIMBY_ALL if options["--NIMBY"] else 0
    name = environ.get("AF_HOSTNAME") or short_host_name(machine.computer, cut_domain=True)
    user = environ.get("AF_USERNAME") or short_user_name(machine.login, cut_domain=True)
    return Identity(
        name=options["--name"] or name,
        user_name=options["--user"] or user,
        os=" ".join(machine.platform),
        engine=machine.version,
        state=state,
    )


def service_folders(options: Mapping[str, Any], environ: Mapping[str, str]) -> list[Path]:
    """Return the folders with services, the first has precedence."""
    own = [Path(folder).resolve() for folder in (options["--services"] or "").split(os.pathsep) if folder]
    return [*own, *cgru_python_dirs(environ), paths.python_dir()]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a render host until it is told to end; return the exit status."""
    arguments = [ALIASES.get(word, word) for word in (sys.argv[1:] if argv is None else argv)]
    options = docopt(__doc__, argv=arguments)
    logs.set_up(LOG_TIME, level=logging.DEBUG if options["--verbose"] else logging.INFO)
    environ = dict(os.environ)
    machine = Machine.find(environ, sys.argv[0])
    variables = read_variables(environ, machine)
    loader = ServiceLoader(service_folders(options, environ), variables)
    identity = identity_of(options, machine, environ)
    address = address_of(options, variables)
    try:
        reach = make_reach(
            environ,
            tls=str(variables.get("af_tls_client", "")).lower() in ("1", "true", "yes", "on"),
            authorities=str(variables.get("af_tls_ca") or ""),
        )
    except ConfigError as error:
        sys.exit(f"afrender-py: {error}")
    with tempfile.TemporaryDirectory(prefix="afrender-", dir=options["--store"]) as store:
        host = RenderHost(
            address,
            identity,
            loader,
            Path(store),
            Clock().now,
            nice=int(options["--nice"]),
            wol_service=str(variables.get("af_sysjob_wol_service") or "wakeonlan"),
            exchange=partial(client.exchange, reach=reach),
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: host.ask_to_exit(signal.Signals(received).name))
        log.info("render %s of %s, server %s:%d", identity.name, identity.user_name, *address)
        return host.run()


if __name__ == "__main__":
    sys.exit(main())
