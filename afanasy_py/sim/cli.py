"""The command `afanasy-sim`: run a scenario file and print what the farm did."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from docopt import docopt

from afanasy_py.errors import AfanasyError
from afanasy_py.sim.scenario import read_scenario
from afanasy_py.sim.summary import as_dict, as_text, plot, summarise
from afanasy_py.sim.world import World

USAGE = """Simulate a farm: the real scheduler, simulated hosts, a virtual clock.

Usage:
  afanasy-sim SCENARIO [--seed=N] [--json] [--plot=FILE] [--trace=FILE]
  afanasy-sim -h | --help

Options:
  --seed=N      Seed of all chance [default: 1].
  --json        Print the summary as JSON.
  --plot=FILE   Draw the farm's day into a PNG file.
  --trace=FILE  Write every start as a line of JSON: time, job, user, block, task, host.
"""


def main(words: list[str] | None = None) -> int:
    """Run; return the exit code: 0, or 1 with one clear line."""
    arguments: dict[str, Any] = docopt(USAGE, argv=words)
    try:
        seed = int(arguments["--seed"])
        document = json.loads(Path(arguments["SCENARIO"]).read_text(encoding="utf-8"))
        world = World(read_scenario(document), seed)
        world.run()
        summary = summarise(world, seed)
        if arguments["--trace"]:
            with Path(arguments["--trace"]).open("w", encoding="utf-8") as file:
                for start in world.trace:
                    row = [start.time, start.job, start.user, start.block, start.task, start.host]
                    file.write(json.dumps(row) + "\n")
        if arguments["--plot"]:
            plot(world, Path(arguments["--plot"]))
    except (OSError, ValueError, AfanasyError) as error:
        sys.stderr.write(f"afanasy-sim: {error}\n")
        return 1
    text = json.dumps(as_dict(summary), indent=2) if arguments["--json"] else as_text(summary)
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
