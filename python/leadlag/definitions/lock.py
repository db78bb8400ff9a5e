"""The lock file of definitions, and what has changed since it was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leadlag.definitions.state import SEEDS, Definition, State
from leadlag.project import ProjectError

NAME = "definitions.lock.json"
FORMAT = 1
GONE = "(gone)"


@dataclass(frozen=True)
class Reason:
    """Why a definition changed without a new version. `digest`: what it changed to."""

    date: str
    name: str
    digest: str
    reason: str


@dataclass(frozen=True)
class Locked:
    """A definition in the lock file: its row and deciding values."""

    seed: str
    row: tuple[str, ...]
    digest: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Lock:
    """What a lock file says."""

    definitions: Mapping[str, Locked] = field(default_factory=dict)
    sql: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Problem:
    """A change that needs a new version or a reason. `name` and `digest` say what changed to what."""

    name: str
    digest: str
    message: str


def _lines(entries: Mapping[str, Any]) -> str:
    return ",\n".join(f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())


def render(lock: Lock) -> str:
    """The text of a lock file: JSON with one line a definition, a piece of SQL and a reason."""
    definitions = {
        name: {"seed": one.seed, "row": one.row, "digest": one.digest, "values": dict(one.values)}
        for name, one in sorted(lock.definitions.items())
    }
    reasons = ",\n".join(f"    {json.dumps(vars(one))}" for one in lock.reasons)
    about = "Written by `leadlag definitions lock`; docs: `leadlag definitions --help`."
    return (
        f'{{\n  "about": {json.dumps(about)},\n  "format": {FORMAT},\n'
        f'  "definitions": {{\n{_lines(definitions)}\n  }},\n'
        f'  "sql": {{\n{_lines(dict(sorted(lock.sql.items())))}\n  }},\n'
        f'  "reasons": [{chr(10) + reasons + chr(10) + "  " if reasons else ""}]\n}}\n'
    )


def read(text: str, origin: str) -> Lock:
    """A lock from the text of its file.

    Raises:
        ProjectError: it is none, or of a later format.
    """
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ProjectError(f"{origin} has format {content['format']}; this leadlag knows {FORMAT}: use a later one")
        return Lock(
            {
                name: Locked(str(one["seed"]), tuple(one["row"]), str(one["digest"]), one["values"])
                for name, one in content["definitions"].items()
            },
            content["sql"],
            tuple(Reason(**one) for one in content["reasons"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProjectError(
            f"{origin} is no lock of definitions ({error!r}); write it with leadlag definitions lock"
        ) from None


def read_file(path: Path) -> Lock | None:
    """The lock in a file; None when there is no file."""
    return read(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else None


def _cell(text: str) -> str:
    return text or "(empty)"


def _changed_row(old: Locked, new: Definition) -> Problem:
    changes = [
        f"column {column}: {_cell(old.values.get(column, ''))} -> {_cell(new.values.get(column, ''))}"
        for column in sorted({*old.values, *new.values}, key=list(SEEDS[new.seed].deciding).index)
        if old.values.get(column, "") != new.values.get(column, "")
    ]
    message = f"{new.path}, row {', '.join(new.row)}: {'; '.join(changes) or 'its digest was edited by hand'}"
    return Problem(new.name, new.digest, message)


def _latest(lock: Lock) -> dict[tuple[str, str], int]:
    """Subject -> its newest version in the lock."""
    latest: dict[tuple[str, str], int] = {}
    for one in lock.definitions.values():
        definition = Definition(one.seed, one.row, one.values, "")
        latest[definition.subject] = max(latest.get(definition.subject, 0), definition.version)
    return latest


def problems(lock: Lock, state: State) -> list[Problem]:
    """Changes since the lock that need a new version, or a reason.

    New versions, new KPIs, new variants and drafts are none; nor are texts, owners and other columns that decide no number.
    """
    found = []
    current = {name: one for name, one in state.definitions.items() if name not in state.drafts}
    versions = {(one.seed, *one.row[:2]) for one in lock.definitions.values()}
    for name, old in lock.definitions.items():
        if name not in current:
            fate = "is a draft now" if name in state.drafts else "is gone"
            found.append(
                Problem(name, GONE, f"seed {old.seed}, row {', '.join(old.row)}: {fate}, and its values with it")
            )
        elif current[name].digest != old.digest:
            found.append(_changed_row(old, current[name]))
    for name, one in current.items():
        if name not in lock.definitions and SEEDS[one.seed].is_whole and (one.seed, *one.row[:2]) in versions:
            values = ", ".join(f"{column} {_cell(value)}" for column, value in one.values.items())
            message = f"{one.path}, row {', '.join(one.row)}: a new row of a version that counts already ({values})"
            found.append(Problem(name, one.digest, message))
    latest = _latest(lock)
    newest: dict[tuple[str, str], int] = {}
    for one in current.values():
        if one.is_active:
            newest[one.subject] = max(newest.get(one.subject, 0), one.version)
    for name, old_digest in lock.sql.items():
        if name not in state.sql or state.sql[name] == old_digest:
            continue
        same = sorted(
            subject
            for subject in state.computed[name]
            if subject in latest and newest.get(subject, 0) <= latest[subject]
        )
        if same:
            names = ", ".join(f"{kind} {one}" for kind, one in same[:5])
            more = f" and {len(same) - 5} more" if len(same) > 5 else ""
            message = f"{state.paths[name]}, {name}: its SQL {old_digest} -> {state.sql[name]}, without a new version of {names}{more}"
            found.append(Problem(name, state.sql[name], message))
    return found


def covered(problem: Problem, lock: Lock) -> bool:
    """Whether the lock records a reason for exactly this change."""
    return any((one.name, one.digest) == (problem.name, problem.digest) for one in lock.reasons)


def unlocked(lock: Lock, state: State) -> list[str]:
    """What the lock does not say as the files do: new, changed and gone definitions and SQL."""
    wanted = relock(lock, state, ())
    pairs = (
        (
            {name: one.digest for name, one in lock.definitions.items()},
            {n: d.digest for n, d in wanted.definitions.items()},
        ),
        (lock.sql, wanted.sql),
    )
    return [name for old, new in pairs for name in sorted({*old, *new}) if old.get(name, GONE) != new.get(name, GONE)]


def relock(lock: Lock, state: State, reasons: tuple[Reason, ...]) -> Lock:
    """The lock of a state, with reasons added to those recorded before."""
    definitions = {
        name: Locked(one.seed, one.row, one.digest, one.values)
        for name, one in state.definitions.items()
        if name not in state.drafts
    }
    return Lock(definitions, state.sql, (*lock.reasons, *reasons))
