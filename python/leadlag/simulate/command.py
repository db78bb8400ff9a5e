"""Write the raw tables of a fictional B2B company: Salesforce, HubSpot, web, ads and product usage over three years.

The tables have the columns a loader leaves and the faults real systems have. The schema `truth` says who is who, what
really happened and which rows are faulty; only tests read it. The same seed gives the same company.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from leadlag.cli import OK, USAGE, CommandError
from leadlag.simulate.run import generate
from leadlag.simulate.salesforce.ids import Tables
from leadlag.simulate.settings import (
    DEFAULT_LEADS,
    DEFAULT_SEED,
    DEFAULT_START,
    DEFECTS,
    Settings,
    SimulationError,
    make_settings,
)
from leadlag.simulate.sink import to_parquet, to_warehouse
from leadlag.warehouse import PROFILE, WarehouseError, connect, find_target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag simulate`."""
    company = parser.add_argument_group("the company")
    company.add_argument(
        "--leads", type=int, default=DEFAULT_LEADS, metavar="N", help="persons in three years (default %(default)s)"
    )
    company.add_argument("--seed", type=int, default=DEFAULT_SEED, metavar="S", help="default %(default)s")
    company.add_argument(
        "--start", metavar="DATE", help=f"first day of the three years (default {DEFAULT_START.isoformat()})"
    )
    company.add_argument(
        "--until",
        metavar="TIME",
        help="leave out what was recorded later: a date (its end) or a UTC time; default the end of the three years",
    )
    company.add_argument(
        "--defects",
        default="all",
        metavar="LIST",
        help="all (default), none, or classes separated by commas; `all` leaves out unmapped_status, which would stop "
        "dbt: all,unmapped_status adds it",
    )
    place = parser.add_argument_group("where to write")
    place.add_argument("--target", metavar="NAME", help="target of the dbt profile (default: the profile's)")
    place.add_argument(
        "--profiles-dir", metavar="DIR", help="folder of profiles.yml (default DBT_PROFILES_DIR, else .)"
    )
    place.add_argument("--profile", default=PROFILE, metavar="NAME", help="default %(default)s")
    place.add_argument("--schema-prefix", default="", metavar="TEXT", help="put before each schema name")
    place.add_argument("--output", type=Path, metavar="DIR", help="write parquet files there instead of to the target")
    place.add_argument("--force", action="store_true", help="replace tables of the same names that are not simulated")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    classes = "\n".join(f"  {name:<24} {meaning}" for name, meaning in DEFECTS.items())
    parser.epilog = f"classes of defects:\n{classes}"


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag simulate`; returns the exit code."""
    try:
        settings = make_settings(arguments.leads, arguments.seed, arguments.until, arguments.start, arguments.defects)
    except SimulationError as error:
        print(f"leadlag simulate: {error}", file=sys.stderr)
        return USAGE
    began = time.monotonic()
    parts = _with_progress(settings, arguments.quiet)
    try:
        if arguments.output is not None:
            place = str(arguments.output)
            rows = to_parquet(parts, arguments.output, arguments.schema_prefix, arguments.force)
        else:
            target = find_target(arguments.target, arguments.profiles_dir, arguments.profile)
            place = f"target {target.name} ({target.kind})"
            with connect(target) as warehouse:
                rows = to_warehouse(parts, warehouse, arguments.schema_prefix, arguments.force)
    except (SimulationError, WarehouseError) as error:
        raise CommandError(str(error)) from None
    if not arguments.quiet:
        print(f"simulated {settings.leads:,} leads, {rows:,} rows in {time.monotonic() - began:.1f} s: {place}")
    return OK


def _with_progress(settings: Settings, quiet: bool) -> Iterator[Tables]:
    """The parts of a run, with a bar that appears when the first one is asked for: not before the target is known."""
    with tqdm(total=settings.leads, unit=" leads", desc="simulate", disable=quiet, file=sys.stderr) as bar:
        yield from generate(settings, bar.update)
