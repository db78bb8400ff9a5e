"""The command line: `leadlag COMMAND ...`.

Each command is a module with `add_arguments(parser)` and `run(arguments) -> int`; it is imported only when it is called,
so that `leadlag --help` does not wait for numerical libraries.

Exit codes: 0 done; 1 the work failed (the message says why); 2 the call was wrong; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from leadlag import __version__

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True)
class Command:
    """A subcommand: where its code is and what `leadlag --help` says about it."""

    module: str
    summary: str


COMMANDS = {
    "simulate": Command(
        "leadlag.simulate.command", "write the raw tables of a fictional company, with planted defects and the truth"
    ),
    "compare": Command("leadlag.compare", "compare the marts of several targets row for row"),
    "audit": Command("leadlag.audit.command", "check the raw sources and the marts, with Great Expectations"),
    "publish": Command(
        "leadlag.audit.publish", "audit the sources, build apart, audit the marts, then replace the old ones"
    ),
    "definitions": Command(
        "leadlag.definitions.command", "check that no KPI or conversion changed without a new version; lock them"
    ),
    "sandbox": Command("leadlag.sandbox", "build other rules beside the present ones and report the difference"),
    "forecast": Command(
        "leadlag.forecast.command", "forecast conversions, wins and won amount to two quarters ahead, with intervals"
    ),
    "backtest": Command(
        "leadlag.forecast.backtest_command", "judge past forecasts against simple methods and what happened"
    ),
    "calibrate": Command(
        "leadlag.calibrate.command",
        "say how probable wins are, by stage and open journey, and how often that came true",
    ),
    "score": Command("leadlag.score.command", "fit lead scores on past conversions, judge them, score open journeys"),
    "lift": Command(
        "leadlag.lift.command", "estimate what meeting a channel changes, adjusted for what was known before it"
    ),
    "load-offline": Command(
        "leadlag.offline", "load trade shows, meetings and calls from a CSV that people fill in, checked cell by cell"
    ),
    "export-conversions": Command(
        "leadlag.export.command", "tell ad platforms which of their clicks became what, in their upload formats"
    ),
}


class CommandError(Exception):
    """Work that could not be done for a reason the user can act on; the message is all that is shown."""


def _top_level() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<18} {command.summary}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="leadlag",
        description="Python companion of the leadlag dbt project.",
        usage="leadlag [-h] [--version] COMMAND ...",
        epilog=f"commands:\n{commands}\n\n`leadlag COMMAND --help` explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"leadlag {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=list(COMMANDS), help="see below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _command_parser(name: str, module: ModuleType) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"leadlag {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: words after `leadlag`; those of the process when None.

    Returns:
        The exit code; argparse itself exits with 2 for a wrong call and 0 for help.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        _top_level().print_help()
        return USAGE
    chosen = _top_level().parse_args(words)
    module = importlib.import_module(COMMANDS[chosen.command].module)
    arguments = _command_parser(chosen.command, module).parse_args(chosen.arguments)
    try:
        return int(module.run(arguments))
    except CommandError as error:
        print(f"leadlag {chosen.command}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"leadlag {chosen.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
