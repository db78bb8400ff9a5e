"""Change control of definitions: what decides a KPI or conversion does not change without a new version.

  leadlag definitions check                 the files against definitions.lock.json of the project
  leadlag definitions check --against main  also against the lock of a git ref, or in a file
  leadlag definitions lock                  write the lock: new versions and drafts are free
  leadlag definitions lock --reason TEXT    also changes of versions that count, with the reason kept in the lock

Under control are the columns of seeds conversion_definition, kpi, kpi_component, kpi_variant, attribution_model,
attribution_position and attribution_channel_weight that decide a number, and the SQL from the input contract to the values of
KPIs and to attribution credit. Names, notes, owners, review dates and minimum_volume are free, and so
is valid_to, which ends a version.

Exit codes: 0 nothing to object to; 1 a definition changed without a new version or reason, or the lock is not up to date; 2 the
call was wrong, or nothing could be checked.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import yaml

from leadlag.cli import FAILED, OK, USAGE
from leadlag.definitions.lock import (
    NAME,
    Lock,
    Problem,
    Reason,
    covered,
    problems,
    read,
    read_file,
    relock,
    render,
    unlocked,
)
from leadlag.definitions.state import State, read_state
from leadlag.project import Project, ProjectError, add_project_arguments, profile_options, read_manifest

REMEDY = (
    "remedy: leave the version as it was and give the change a new version (end the old one by valid_to), then run\n"
    "`leadlag definitions lock`; where the number does not change, or must be corrected, say why:\n"
    '`leadlag definitions lock --reason "..."`'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag definitions`."""
    parser.add_argument("action", choices=["check", "lock"], help="see above")
    parser.add_argument("--against", metavar="REF|FILE", help="check: a git ref whose lock counts too, or a lock file")
    parser.add_argument("--reason", metavar="TEXT", help="lock: why versions that count change")
    parser.add_argument("--date", metavar="DAY", help="lock: day of the reason (default: today, UTC)")
    parser.add_argument("--lock", type=Path, metavar="FILE", help=f"the lock (default {NAME} in the project)")
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="manifest of the files as they are (default: dbt parse)"
    )
    add_project_arguments(parser)


def _git(folder: Path, *words: str) -> str | None:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def base_lock(given: str, folder: Path, lock_file: Path) -> Lock:
    """The lock to compare with: of a file, or of a git ref; empty where the ref has none yet.

    Raises:
        ProjectError: neither a file nor a ref.
    """
    if Path(given).is_file():
        return read(Path(given).read_text(encoding="utf-8"), given)
    if _git(folder, "rev-parse", "--verify", "--quiet", f"{given}^{{commit}}") is None:
        raise ProjectError(
            f"--against: {given!r} is neither a file nor a commit of the repository of {folder.resolve()}"
        )
    text = _git(lock_file.parent, "show", f"{given}:./{lock_file.name}")
    return Lock() if text is None else read(text, f"{given}:{lock_file.name}")


def _day(given: str | None) -> str:
    try:
        return (datetime.now(UTC).date() if given is None else date.fromisoformat(given)).isoformat()
    except ValueError:
        raise ProjectError(f"--date: {given!r} is not a day such as 2026-01-31") from None


def _refuse(found: Sequence[Problem], against: str) -> int:
    for problem in found:
        print(f"CHANGED {problem.message}", file=sys.stderr)
    print(f"leadlag definitions: {len(found)} changes without a new version since {against}\n{REMEDY}", file=sys.stderr)
    return FAILED


def _check(lock: Lock | None, state: State, against: str | None, folder: Path, lock_file: Path) -> int:
    if lock is None:
        raise ProjectError(f"there is no {lock_file}; write it with `leadlag definitions lock` and commit it")
    if found := problems(lock, state):
        return _refuse(found, str(lock_file))
    if against is not None:
        base = base_lock(against, folder, lock_file)
        if found := [one for one in problems(base, state) if not covered(one, lock)]:
            return _refuse(found, against)
    if stale := unlocked(lock, state):
        shown = ", ".join(stale[:5]) + (f" and {len(stale) - 5} more" if len(stale) > 5 else "")
        print(
            f"leadlag definitions: {lock_file} is not up to date: {shown}\nremedy: run `leadlag definitions lock` and commit it",
            file=sys.stderr,
        )
        return FAILED
    print(f"definitions: {len(lock.definitions)} rows and {len(lock.sql)} pieces of SQL as locked")
    return OK


def _lock(lock: Lock | None, state: State, reason: str | None, day: str | None, lock_file: Path) -> int:
    before = lock or Lock()
    found = problems(before, state)
    if found and not (reason or "").strip():
        return _refuse(found, str(lock_file))
    reasons = tuple(Reason(_day(day), one.name, one.digest, str(reason).strip()) for one in found)
    changed = unlocked(before, state)
    lock_file.write_text(render(relock(before, state, reasons)), encoding="utf-8")
    print(f"definitions: {lock_file} written, {len(changed)} entries changed, {len(reasons)} of them by reason")
    return OK


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag definitions`; returns the exit code."""
    folder = arguments.project_dir
    lock_file = arguments.lock or folder / NAME
    try:
        variables = yaml.safe_load(arguments.vars) or {}
        project = Project(folder, profile_options(arguments), variables)
        manifest = read_manifest(arguments.manifest) if arguments.manifest else project.parse()
        state = read_state(manifest, folder)
        lock = read_file(lock_file)
        if arguments.action == "check":
            return _check(lock, state, arguments.against, folder, lock_file)
        return _lock(lock, state, arguments.reason, arguments.date, lock_file)
    except (ProjectError, yaml.YAMLError) as error:
        print(f"leadlag definitions: {error}", file=sys.stderr)
        return USAGE
