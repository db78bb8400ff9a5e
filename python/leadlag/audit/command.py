"""Check the raw sources and the marts against the suites of great_expectations/, with Great Expectations.

Results are added to SCHEMA_audit.data_quality_result, one row a run and expectation, and written as a page that opens
from disk. Exit code 0: all expectations are met; 1: some are not, listed with failing rows and remedy; 2: nothing was
checked, because a file, a setting or the warehouse cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from leadlag.audit import results as table
from leadlag.audit.results import Result
from leadlag.audit.site import write_site
from leadlag.audit.suites import CHECKPOINTS, Layout, SuiteError, load_checkpoint, prepare
from leadlag.audit.validate import KINDS, validate
from leadlag.cli import FAILED, OK, USAGE
from leadlag.warehouse import PROFILE, Target, Warehouse, WarehouseError, connect, find_target

SHIPPED_SUITES = Path(__file__).resolve().parents[3] / "great_expectations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag audit`."""
    parser.add_argument("--suite", choices=[*CHECKPOINTS, "all"], default="all", help="default %(default)s")
    parser.add_argument(
        "--schema", metavar="NAME", help="dbt's schema, to which _marts is added (default: the target's)"
    )
    parser.add_argument(
        "--results-schema", metavar="NAME", help="schema of data_quality_result (default: dbt's schema with _audit)"
    )
    add_shared_arguments(parser)


def add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that `leadlag audit` and `leadlag publish` have in common."""
    parser.add_argument("--target", metavar="NAME", help="target of the dbt profile (default: the profile's)")
    parser.add_argument(
        "--profiles-dir", metavar="DIR", help="folder of profiles.yml (default DBT_PROFILES_DIR, else .)"
    )
    parser.add_argument("--profile", metavar="NAME", help="profile of dbt (default: the one dbt_project.yml names)")
    parser.add_argument(
        "--project-dir",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder of dbt_project.yml, for its vars (default .)",
    )
    parser.add_argument("--vars", default="{}", metavar="YAML", help="dbt variables, as given to dbt")
    parser.add_argument(
        "--suites-dir", type=Path, default=SHIPPED_SUITES, metavar="DIR", help="default: the shipped suites"
    )
    parser.add_argument("--run-at", metavar="TIME", help="UTC time that the results carry (default: now)")
    parser.add_argument(
        "--failing-rows", type=int, default=5, metavar="N", help="rows to list for a failure, default 5"
    )
    parser.add_argument(
        "--site", type=Path, metavar="DIR", help="where to write the page (default: audit/ in dbt's target folder)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


class UnusableError(Exception):
    """Settings or a warehouse with which nothing can be checked; the message says what to do."""


def read_variables(project_dir: Path, given: str) -> dict[str, Any]:
    """dbt variables of package leadlag: of the project file, overlaid with those of the command line.

    Raises:
        UnusableError: either is not YAML, or there is no project file.
    """
    path = project_dir / "dbt_project.yml"
    if not path.is_file():
        raise UnusableError(f"no dbt_project.yml in {project_dir.resolve()}; name its folder with --project-dir")
    try:
        project = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        overlay = yaml.safe_load(given) or {}
    except yaml.YAMLError as error:
        raise UnusableError(f"{path} or --vars is not valid YAML: {error}") from None
    if not isinstance(overlay, Mapping):
        raise UnusableError("--vars must be a mapping, e.g. '{salesforce_schema: sfdc}'")
    declared = project.get("vars") or {}
    flat = {name: value for name, value in declared.items() if not isinstance(value, Mapping)}
    return {**flat, **(declared.get("leadlag") or {}), **overlay}


def read_time(given: str | None) -> datetime:
    """The time of the run, naive UTC; now when None.

    Raises:
        UnusableError: it is not an ISO time.
    """
    try:
        moment = datetime.now(UTC) if given is None else datetime.fromisoformat(given)
    except ValueError:
        raise UnusableError(f"--run-at: {given!r} is not a time such as 2025-12-31T04:00:00") from None
    return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment).replace(microsecond=0)


def profile_name(arguments: argparse.Namespace) -> str:
    """The profile of the call, else the one that dbt takes for the project."""
    if arguments.profile:
        return str(arguments.profile)
    path = arguments.project_dir / "dbt_project.yml"
    try:
        project = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return PROFILE
    return str(project.get("profile") or PROFILE) if isinstance(project, Mapping) else PROFILE


def usable_target(arguments: argparse.Namespace) -> Target:
    """The target of the profile, checked to be one that audits work with.

    Raises:
        UnusableError, WarehouseError: it is of another type, or its file does not exist.
    """
    target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
    if target.kind not in KINDS:
        raise UnusableError(f"target {target.name!r} has type {target.kind!r}; audits work with {' and '.join(KINDS)}")
    if target.kind == "duckdb":
        path = str(target.settings.get("path", ":memory:"))
        if path == ":memory:":
            raise UnusableError(f"target {target.name!r} has no DuckDB file of its own; audits work with one")
        if not Path(path).is_file():
            raise UnusableError(f"there is no warehouse {path}; load the sources first")
    return target


def _columns(warehouse: Warehouse) -> dict[tuple[str, str], list[str]]:
    frame = warehouse.query(
        "select table_schema, table_name, column_name from information_schema.columns "
        "order by table_schema, table_name, ordinal_position"
    )
    found: dict[tuple[str, str], list[str]] = {}
    for schema, name, column in frame.itertuples(index=False):
        found.setdefault((str(schema), str(name)), []).append(str(column))
    return found


def audit(
    target: Target,
    layout: Layout,
    checkpoints: Sequence[str],
    suites_dir: Path,
    run_at: datetime,
    sample: int,
    quiet: bool,
) -> list[Result]:
    """Run checkpoints on a target; nothing is written.

    Args:
        checkpoints: raw, marts or both.
        run_at: naive UTC; the latest plausible date is the day after.
        sample: keys of failing rows to keep for each expectation, at most.

    Raises:
        SuiteError, WarehouseError, UnusableError: nothing could be checked.
    """
    suites = [suite for name in checkpoints for suite in load_checkpoint(suites_dir, name)]
    with connect(target) as warehouse:
        columns = _columns(warehouse)
    tables = [one for suite in suites if (one := prepare(suite, layout, columns, run_at)) is not None]
    if not tables:
        raise UnusableError(f"no table to check: are the connectors {layout.connectors()} those that are loaded?")
    with tqdm(total=len(tables), unit=" tables", desc="audit", disable=quiet, file=sys.stderr) as bar:
        return validate(target, tables, run_at, sample, bar.update)


def record(target: Target, schema: str, results: list[Result], site: Path | None) -> Path | None:
    """Add results to SCHEMA.data_quality_result and write the page; returns where the page is."""
    with connect(target) as warehouse:
        table.append(warehouse, schema, results)
        runs = table.history(warehouse, schema)
    return None if site is None else write_site(site, results, runs)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def describe(result: Result) -> str:
    """A failed expectation for a terminal: table, column, rule, counts, failing rows, remedy."""
    lines = [f"FAILED {result.schema_name}.{result.table_name} {result.column_name or '(table)'}: {result.rule}"]
    if result.unexpected_count is not None:
        share = "" if result.unexpected_share is None else f" ({result.unexpected_share:.1%})"
        lines.append(
            f"       {_number(result.unexpected_count)} of {_number(result.checked_count)} rows break it{share}; "
            f"tolerated {result.tolerated_share:.1%}"
        )
    elif result.observed is not None:
        lines.append(f"       found     {result.observed}")
    for keys in result.failing_keys:
        row = ", ".join(f"{name}={'null' if value is None else value}" for name, value in keys.items())
        lines.append(f"       row       {row}")
    lines += [f"       check     {result.expectation}", f"       remedy    {result.remedy}"]
    return "\n".join(lines)


def report(results: list[Result]) -> bool:
    """Print failures and a line for each suite; true when all expectations are met."""
    failed = [result for result in results if not result.is_passed]
    for result in failed:
        print(describe(result))
    for suite in dict.fromkeys(result.suite for result in results):
        own = [result for result in results if result.suite == suite]
        tables = len({(result.schema_name, result.table_name) for result in own})
        broken = sum(not result.is_passed for result in own)
        print(f"audit {suite}: {len(own)} expectations on {tables} tables, {broken or 'none'} failed")
    return not failed


def site_folder(given: Path | None) -> Path:
    """Where the page goes: as asked, else beside dbt's other results."""
    return given if given is not None else Path(os.environ.get("DBT_TARGET_PATH", "target")) / "audit"


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag audit`; returns the exit code."""
    try:
        run_at = read_time(arguments.run_at)
        target = usable_target(arguments)
        schema = arguments.schema or str(target.settings.get("schema", "main"))
        layout = Layout(read_variables(arguments.project_dir, arguments.vars), schema)
        checkpoints = CHECKPOINTS if arguments.suite == "all" else (arguments.suite,)
        found = audit(
            target, layout, checkpoints, arguments.suites_dir, run_at, arguments.failing_rows, arguments.quiet
        )
        results_schema = arguments.results_schema or layout.variables.get("audit_schema") or f"{schema}_audit"
        page = record(target, str(results_schema), found, site_folder(arguments.site))
    except (UnusableError, SuiteError, WarehouseError) as error:
        print(f"leadlag audit: {error}", file=sys.stderr)
        return USAGE
    passed = report(found)
    print(f"results   {results_schema}.{table.TABLE}, run at {run_at} UTC\nsite      {page}   (opens from disk)")
    return OK if passed else FAILED
