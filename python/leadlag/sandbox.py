"""Try out other rules: build them beside the present ones, on the same data, and report what would change.

--seeds names a folder of CSV files that replace policy seeds of the same name, e.g. conversion_definition.csv. What they
change is built in schema SCHEMA_sandbox (and SCHEMA_sandbox_marts ...); everything before it is read from the present marts,
which stay as they are. The difference is a table, SCHEMA_sandbox_marts.sandbox_difference, and is printed: value and interval of
each conversion and KPI under both rules, and how many journeys move in and out, with the first keys.

Exit codes: 0 built and compared; 1 the build failed, e.g. because a rule is refused; 2 the call was wrong.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from leadlag.audit.command import profile_name
from leadlag.cli import FAILED, OK, USAGE
from leadlag.project import Project, ProjectError, add_project_arguments, profile_options
from leadlag.warehouse import Target, WarehouseError, connect, find_target, quote

# What the report reads, and what a reader opens beside it.
COMPARED = ("fct_conversion", "fct_kpi", "kpi_member")
WANTED = (*COMPARED, "conversion_rate", "dim_kpi")
REPORT = ("int_sandbox__value", "int_sandbox__moved", "sandbox_difference")
GATE = "int_policy__violation"
KEY = ("definition_type", "definition", "variant")
MOVES = [(role, direction) for role in ("numerator", "denominator") for direction in ("in", "out")]

Node = Mapping[str, Any]


class SandboxError(Exception):
    """The sandbox cannot be built as asked; the message says what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag sandbox`."""
    parser.add_argument("--seeds", type=Path, required=True, metavar="DIR", help="CSV files that replace policy seeds")
    parser.add_argument(
        "--select", nargs="+", default=[], metavar="NODE", help="further models to build, in dbt's words"
    )
    parser.add_argument("--json", action="store_true", help="print the difference as JSON, all definitions")
    add_project_arguments(parser)


def _nodes(manifest: Mapping[str, Any]) -> dict[str, Node]:
    """Id -> node of everything that dbt would write."""
    kinds = ("model", "seed", "snapshot")
    return {key: node for key, node in manifest["nodes"].items() if node["resource_type"] in kinds}


def _relations(manifest: Mapping[str, Any]) -> set[str]:
    return {str(node["relation_name"]) for node in _nodes(manifest).values() if node.get("relation_name")}


def _closure(start: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(start)
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += edges.get(one, ())
    return found


def affected(manifest: Mapping[str, Any], seeds: Iterable[str]) -> list[str]:
    """Names of what has to be built for the report when these seeds (ids) are replaced, the seeds included.

    What checks the rules is built too, so that rules that are wrong are refused; that it is read by nearly everything changes
    no row of theirs.
    """
    nodes = _nodes(manifest)
    checks = {key for key, node in nodes.items() if node["resource_type"] == "model" and "policy" in node["fqn"]}
    children: dict[str, list[str]] = {}
    for key, node in nodes.items():
        for parent in node.get("depends_on", {}).get("nodes", ()):
            if parent not in checks or key in checks:
                children.setdefault(parent, []).append(key)
    parents = {key: node.get("depends_on", {}).get("nodes", ()) for key, node in nodes.items()}
    wanted = _closure((key for key, node in nodes.items() if node["name"] in (*WANTED, GATE)), parents)
    built = _closure(seeds, children) & wanted
    return sorted({str(nodes[key]["name"]) for key in built} | {GATE})


def _replaced(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Path]:
    """Id of a seed -> the file that replaces it.

    Raises:
        SandboxError: no files, a name that is no policy seed, or other columns than the seed has.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise SandboxError(f"--seeds: no CSV files in {folder}")
    root = manifest["metadata"]["project_name"]
    seeds = [node for node in _nodes(manifest).values() if node["resource_type"] == "seed"]
    by_name = {node["name"]: node for node in sorted(seeds, key=lambda node: node["package_name"] == root)}
    found = {}
    for file in files:
        if file.stem not in by_name:
            raise SandboxError(f"--seeds: {file} replaces no seed; the project has {', '.join(sorted(by_name))}")
        node = by_name[file.stem]
        present, new = _header(Path(node["root_path"]) / node["original_file_path"]), _header(file)
        if sorted(present) != sorted(new):
            raise SandboxError(f"--seeds: {file} must have the columns of the seed it replaces: {', '.join(present)}")
        found[node["unique_id"]] = file
    return found


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [name.strip() for name in next(csv.reader(file), [])]


def overlay(project: Path, place: Path, files: Mapping[Path, Path]) -> None:
    """A copy of a project in `place` in which some files are others; what stays as it is is linked, not copied.

    Args:
        files: path in the project -> file that stands there instead.
    """
    place.mkdir(parents=True)
    below: dict[str, dict[Path, Path]] = {}
    for path, file in files.items():
        first, *rest = path.parts
        if rest:
            below.setdefault(first, {})[Path(*rest)] = file
        else:
            shutil.copyfile(file, place / first)
    for entry in sorted(project.iterdir()):
        target = place / entry.name
        if entry.name in below:
            overlay(entry, target, below[entry.name])
        elif not target.exists():
            target.symlink_to(entry.resolve(), target_is_directory=entry.is_dir())


def _path_in_project(node: Node, folder: Path, root: str) -> Path:
    """Where a seed lies, from the project's folder."""
    path = Path(node["original_file_path"])
    if node["package_name"] == root:
        return path
    package = Path(node["root_path"])
    packages = folder / os.environ.get("DBT_PACKAGES_INSTALL_PATH", "dbt_packages")
    # A package may be linked to from its place.
    return (package if package.is_relative_to(folder) else packages / node["package_name"]).relative_to(folder) / path


def _drop(target: Target, manifest: Mapping[str, Any]) -> None:
    """Remove what an earlier sandbox has left: only relations that this project would write there."""
    ours = {(node["schema"], node["alias"]) for node in _nodes(manifest).values()}
    with connect(target) as warehouse:
        frame = warehouse.query("select table_schema, table_name, table_type from information_schema.tables")
        for schema, table, kind in frame.itertuples(index=False):
            if (schema, table) in ours:
                what = "view" if kind == "VIEW" else "table"
                # PostgreSQL drops views with what they read.
                cascade = " cascade" if target.kind == "postgres" else ""
                warehouse.execute(f"drop {what} if exists {quote(schema)}.{quote(table)}{cascade}")
        warehouse.finish()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _side(row: Mapping[str, Any], side: str) -> str:
    if row[f"{side}_version"] is None:
        return "none"
    value, low, high = (_number(row[f"{side}_{name}"]) for name in ("value", "value_low", "value_high"))
    counts = [_number(row[f"{side}_{name}"]) for name in ("numerator", "denominator")]
    parts = "" if counts == ["-", "-"] else f" = {' / '.join(one for one in counts if one != '-')}"
    return f"{value} [{low}, {high}]{parts}, version {row[f'{side}_version']}"


def describe(row: Mapping[str, Any]) -> str:
    """A definition that differs, for a terminal."""
    variant = "" if row["variant"] == "global" else f", variant {row['variant']}"
    quarter = f", quarter from {row['quarter_start']}" if row["quarter_start"] else ""
    lines = [f"{row['definition_type'].replace('_', ' ')} {row['definition']}{variant}{quarter}"]
    lines += [f"    {side:<11} {_side(row, side)}" for side in ("champion", "challenger")]
    lines.append(f"    {'difference':<11} {_number(row['difference'])}")
    for role, direction in MOVES:
        if count := row[f"{role}_{direction}"]:
            more = ", ..." if count > 5 else ""
            lines.append(f"    {role} {direction}: {count:,}  (keys {row[f'{role}_{direction}_keys']}{more})")
    return "\n".join(lines)


def _check_apart(champion: Mapping[str, Any], challenger: Mapping[str, Any]) -> None:
    """The profile must send dbt elsewhere: else the sandbox would replace the present marts."""
    shared = sorted(_relations(champion) & _relations(challenger))
    if shared:
        raise SandboxError(
            f"the sandbox would write to {shared[0]} and {len(shared) - 1} more of the present relations: the profile's schema must "
            "follow LEADLAG_SCHEMA as in profiles.example.yml, and generate_schema_name must follow the target's schema"
        )


def build(project: Project, target: Target, seeds: Path, select: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Build the sandbox and compare; the rows of sandbox_difference.

    Raises:
        SandboxError, ProjectError, WarehouseError: nothing was compared; the present marts are as they were.
    """
    folder, schema = project.folder.resolve(), str(target.settings.get("schema", "main"))
    place = project.target_path.resolve() / "sandbox"
    environment = dict(project.environment)
    if target.kind == "duckdb" and not str(target.settings.get("path", "")).startswith((":", "md:")):
        # dbt looks for a relative path from the project's folder, which is another one here.
        environment["LEADLAG_DUCKDB_PATH"] = str(Path(str(target.settings["path"])).resolve())
    champion_path, challenger_path = place / "champion", place / "challenger"
    champion_project = replace(project, environment={**environment, "DBT_TARGET_PATH": str(champion_path)})
    champion = champion_project.parse()
    replaced = _replaced(seeds, champion)
    models = {node["name"]: node for node in _nodes(champion).values() if node["resource_type"] == "model"}
    with connect(target) as warehouse:
        missing = [name for name in COMPARED if models[name]["alias"] not in warehouse.tables(models[name]["schema"])]
    if missing:
        raise SandboxError(f"there is no {', '.join(missing)} to compare with; run `dbt build` first")

    root = champion["metadata"]["project_name"]
    copy = place / "project"
    shutil.rmtree(copy, ignore_errors=True)
    overlay(
        folder, copy, {_path_in_project(champion["nodes"][key], folder, root): file for key, file in replaced.items()}
    )
    relations = {name: models[name]["relation_name"] for name in COMPARED}
    sandbox = replace(
        project,
        folder=copy,
        # Readers' rights are for what is published.
        variables={**project.variables, "sandbox_champion": relations, "access_control": False},
        environment={
            **environment,
            "DBT_TARGET_PATH": str(challenger_path),
            "LEADLAG_SCHEMA": f"{schema}_sandbox",
        },
    )
    challenger = sandbox.parse()
    _check_apart(champion, challenger)
    _drop(target, challenger)
    chosen = [*affected(challenger, replaced), *REPORT, *select]
    deferred = ["--defer", "--favor-state", "--state", str(champion_path)]
    sandbox.dbt(
        *("build", "--full-refresh", "--resource-type", "seed", "--resource-type", "model", *deferred),
        *("--select", *chosen),
    )
    report = next(node for node in _nodes(challenger).values() if node["name"] == "sandbox_difference")
    with connect(target) as warehouse:
        columns, rows = warehouse.rows(report["schema"], report["alias"])
    found = [{name: _plain(value) for name, value in zip(columns, row, strict=True)} for row in rows]
    return sorted(found, key=lambda row: [row[name] for name in KEY])


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag sandbox`; returns the exit code."""
    try:
        target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
        if target.kind not in ("duckdb", "postgres"):
            raise SandboxError(
                f"target {target.name!r} has type {target.kind!r}; the sandbox works with duckdb and postgres"
            )
        variables = yaml.safe_load(arguments.vars) or {}
        project = Project(arguments.project_dir, profile_options(arguments), variables)
        rows = build(project, target, arguments.seeds, arguments.select)
    except (SandboxError, WarehouseError, yaml.YAMLError) as error:
        print(f"leadlag sandbox: {error}", file=sys.stderr)
        return USAGE
    except ProjectError as error:
        print(f"leadlag sandbox: {error}\nthe present marts are as they were", file=sys.stderr)
        return FAILED
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return OK
    changed = [row for row in rows if row["is_changed"]]
    for row in changed:
        print(describe(row))
    schema = target.settings.get("schema", "main")
    print(
        f"sandbox: {len(changed)} of {len(rows)} conversion definitions and KPIs differ; all are in "
        f"{schema}_sandbox_marts.sandbox_difference"
    )
    return OK
