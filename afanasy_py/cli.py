"""The command `afserver`: arguments, configuration, log; the server itself is built by `app.run`."""
# ruff: noqa: E402 - gevent has to patch before the other modules are imported

import sys

try:
    from gevent import monkey
except ImportError:
    sys.exit("afserver: the Python package gevent is missing; install the server with: pip install .")
monkey.patch_all()

import logging
import os

from afanasy_py import __version__, logs
from afanasy_py.arguments import USAGE, parse_arguments
from afanasy_py.config import load_config
from afanasy_py.errors import AfanasyError
from afanasy_py.machine import CGRU_VERSION

log = logging.getLogger(__name__)


def main(words: list[str] | None = None) -> int:
    """Run the server until it is stopped.

    Args:
        words: The program's name and its arguments; None: those of the process.

    Returns:
        The exit code of a failure, 1, which is said in one line; after a stop that was asked for the process ends here
        with 0.
    """
    program, *rest = sys.argv if words is None else words
    arguments = parse_arguments(rest)
    if arguments.help:
        sys.stdout.write(USAGE)
        return 0
    if arguments.version:
        sys.stdout.write(f"afserver {__version__} (CGRU {CGRU_VERSION})\n")
        return 0
    try:
        config = load_config(arguments, os.environ, program)
        logs.set_up(
            config.settings.timeformat,
            dates=not arguments.log_nodate,
            as_json=arguments.log_json,
            level=logging.DEBUG if arguments.verbose else logging.INFO,
        )
        for message in config.messages:
            log.log(message.level, "%s", message.text)
        from afanasy_py import app

        code = app.run(config)
        # Everything is written and closed. Taking a farm of a million tasks apart would take seconds.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
    except AfanasyError as error:
        sys.stderr.write(f"afserver: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
