"""Suites as great_expectations/ declares them, and what of them can be checked in a warehouse.

A suite file has the expectations of several tables. `derived` columns are SQL conditions, so that what concerns two
columns or two tables is an expectation like any other, with a tolerated share and the keys of the failing rows:
`t.<column>` is a column of the table, `{place.table}` another relation, `{earliest}` and `{latest}` the plausible dates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from leadlag.warehouse import quote

CHECKPOINTS = ("raw", "marts")
CONNECTORS = ("salesforce", "hubspot", "web", "ads", "product")
EARLIEST = date(2000, 1, 1)
_TABLE_KEYS = {"required", "key", "columns", "derived", "expectations", "remedy", "query", "listed"}
_RELATION = re.compile(r"\{(\w+)\.(\w+)\}")
_COLUMN = re.compile(r"\bt\.(\w+)")


class SuiteError(ValueError):
    """A suite or checkpoint file that cannot be used; the message names file, table and what to change."""


@dataclass(frozen=True)
class Check:
    """One expectation: its Great Expectations type and arguments, what it means, and what to do when it fails."""

    expectation: str
    arguments: Mapping[str, Any]
    rule: str
    remedy: str

    @property
    def columns(self) -> list[str]:
        """Columns that the expectation reads; empty for one on the table."""
        names = [self.arguments[name] for name in ("column", "column_A", "column_B") if name in self.arguments]
        return [*map(str, names), *map(str, self.arguments.get("column_list", []))]

    @property
    def label(self) -> str:
        """Columns as shown to readers; empty for an expectation on the table."""
        return ", ".join(self.columns)


@dataclass(frozen=True)
class TableSuite:
    """The expectations on one table, or on the rows of `query`.

    Attributes:
        key: columns that tell rows apart.
        listed: columns by which failing rows are listed: the key, and what finds a row that has none.
        columns: must be there; without others an expectation is left out.
    """

    checkpoint: str
    place: str
    table: str
    required: bool
    key: list[str]
    listed: list[str]
    columns: list[str]
    derived: Mapping[str, str]
    query: str | None
    checks: list[Check]


@dataclass(frozen=True)
class Layout:
    """Where the relations are: dbt variables for the sources, the profile's schema for what dbt builds."""

    variables: Mapping[str, Any]
    schema: str

    def connectors(self) -> list[str]:
        """Connectors that are on."""
        return [str(name) for name in self.variables.get("connectors", CONNECTORS)]

    def find(self, place: str, table: str) -> tuple[str, str]:
        """Schema and name of a table of a connector, or of a layer of the dbt project."""
        if place not in CONNECTORS:
            return f"{self.schema}_{place}", table
        identifier = self.variables.get(f"{place}_{table}_identifier", table)
        return str(self.variables.get(f"{place}_schema", place)), str(identifier)


@dataclass(frozen=True)
class Prepared:
    """A table as it is to be validated.

    Attributes:
        schema, table: where it is.
        sql: the query whose rows are validated; None when the table does not exist.
        listed: columns by which failing rows are listed.
        checks: to be run; `not_run` has the others with why they fail without being run.
    """

    suite: TableSuite
    schema: str
    table: str
    sql: str | None
    listed: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    not_run: list[tuple[Check, str]] = field(default_factory=list)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SuiteError(f"no file {path}; --suites-dir names the folder that has checkpoints/ and suites/")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SuiteError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise SuiteError(f"{path}: the file must be a mapping")
    return content


def _check(entry: Mapping[str, Any], columns: list[str], remedy: str | None, where: str) -> Check:
    words = dict(entry)
    expectation = words.pop("expectation", None)
    if expectation == "expect_table_columns_to_match_set":
        words = {"column_set": columns, "exact_match": False, **words}
    rule = words.pop("rule", None)
    remedy = words.pop("remedy", remedy)
    if not expectation or not rule or not remedy:
        raise SuiteError(f"{where}: an expectation needs `expectation` (its type), `rule` and `remedy`; it has {entry}")
    return Check(str(expectation), words, str(rule), str(remedy))


def _table(
    checkpoint: str, place: str, table: str, entry: Mapping[str, Any], remedy: str | None, file: Path
) -> TableSuite:
    where = f"{file}, table {table}"
    unknown = set(entry) - _TABLE_KEYS
    if unknown:
        raise SuiteError(f"{where}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(_TABLE_KEYS))}")
    if not entry.get("key"):
        raise SuiteError(f"{where}: `key` is missing; failing rows are listed by it")
    columns = [str(name) for name in entry.get("columns", [])]
    # Great Expectations puts a query in brackets and takes nothing that does not begin with the word.
    if "query" in entry and not str(entry["query"]).lstrip().lower().startswith("select"):
        raise SuiteError(f"{where}: `query` must begin with select")
    checks = [_check(one, columns, entry.get("remedy", remedy), where) for one in entry.get("expectations", [])]
    if not checks:
        raise SuiteError(f"{where}: no expectations")
    return TableSuite(
        checkpoint=checkpoint,
        place=place,
        table=table,
        required=bool(entry.get("required", False)),
        key=[str(name) for name in entry["key"]],
        listed=[str(name) for name in entry.get("listed", entry["key"])],
        columns=columns,
        derived={str(name): str(sql).strip() for name, sql in (entry.get("derived") or {}).items()},
        query=entry.get("query"),
        checks=checks,
    )


def load_checkpoint(folder: Path, name: str) -> list[TableSuite]:
    """The table suites of a checkpoint, in the order of its file.

    Args:
        folder: great_expectations/ of the project.
        name: raw or marts.

    Raises:
        SuiteError: a file is missing or wrong.
    """
    path = folder / "checkpoints" / f"{name}.yml"
    suites: list[TableSuite] = []
    for file in _read(path).get("suites") or []:
        source = folder / "suites" / str(file)
        content = _read(source)
        if "place" not in content or not isinstance(content.get("tables"), dict):
            raise SuiteError(f"{source}: needs `place` (a connector or a layer) and `tables`")
        for table, entry in content["tables"].items():
            suites.append(_table(name, str(content["place"]), str(table), entry, content.get("remedy"), source))
    if not suites:
        raise SuiteError(f"{path}: `suites` names no file")
    return suites


def plain(name: str) -> str:
    """A column's name without case and underscores: loaders write CreatedDate or created_date."""
    return name.replace("_", "").lower()


def plausible_dates(run_at: datetime) -> dict[str, str]:
    """Bounds of believable dates, as text of ISO dates: text compares like the dates, and `yesterday` like neither."""
    return {"earliest": EARLIEST.isoformat(), "latest": (run_at.date() + timedelta(days=1)).isoformat()}


Columns = Mapping[tuple[str, str], Sequence[str]]


def _relation(layout: Layout, columns: Columns, place: str, table: str) -> str | None:
    """A relation to read another table from, with its columns in snake case; None when it does not exist."""
    schema, identifier = layout.find(place, table)
    names = columns.get((schema, identifier))
    if names is None:
        return None
    relation = f"{quote(schema)}.{quote(identifier)}"
    if all(name == name.lower() for name in names):
        return relation
    renamed = ", ".join(f"{quote(name)} as {quote(_snake(name))}" for name in names)
    return f"(select {renamed} from {relation})"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _absence_remedy(suite: TableSuite) -> str:
    if suite.place not in CONNECTORS:
        return "run `dbt build`; --schema names dbt's schema when it is not the target's"
    place = suite.place
    return (
        f"load it, or set var {place}_schema to where the loader writes, or var {place}_{suite.table}_identifier to the "
        f"table's name there, or take {place} out of var connectors"
    )


def prepare(suite: TableSuite, layout: Layout, columns: Columns, run_at: datetime) -> Prepared | None:
    """Decide what of a suite can be checked, and in which rows.

    Args:
        columns: schema and table -> names of its columns, for every relation of the warehouse.

    Returns:
        None when there is nothing to check: an optional table that was not loaded, a connector that is off.
    """
    if suite.place in CONNECTORS and suite.place not in layout.connectors():
        return None
    schema, table = layout.find(suite.place, suite.table)
    relations: dict[str, str | None] = {}
    texts = [*suite.derived.values(), suite.query or ""]
    for place, other in {found for text in texts for found in _RELATION.findall(text)}:
        relations[f"{place}.{other}"] = _relation(layout, columns, place, other)
    dates = plausible_dates(run_at)

    def filled(text: str) -> str:
        text = _RELATION.sub(lambda found: str(relations[f"{found[1]}.{found[2]}"]), text)
        for name, value in dates.items():
            text = text.replace("{" + name + "}", value)
        return text

    if suite.query is not None:
        missing = sorted(name for name, relation in relations.items() if relation is None)
        if missing:
            why = f"not checked: there is no table {missing[0]}"
            return Prepared(suite, schema, table, None, not_run=[(check, why) for check in suite.checks])
        return Prepared(suite, schema, table, filled(suite.query).strip(), suite.listed, list(suite.checks))

    if (schema, table) not in columns:
        if not suite.required:
            return None
        absence = Check("table exists", {}, "the table exists", _absence_remedy(suite))
        return Prepared(suite, schema, table, None, not_run=[(absence, "no such table")])

    present: dict[str, str] = {}
    for name in columns[(schema, table)]:
        present.setdefault(plain(name), name)
    needs = {name: set(_COLUMN.findall(sql)) for name, sql in suite.derived.items()}
    wanted = [*suite.key, *suite.columns, *suite.listed]
    wanted += [name for check in suite.checks for name in check.columns if name not in suite.derived]
    wanted += sorted({name for names in needs.values() for name in names})
    absent = {name for name in wanted if plain(name) not in present}
    derivable = {
        name: filled(sql)
        for name, sql in suite.derived.items()
        if not needs[name] & absent and all(relations[f"{p}.{o}"] for p, o in _RELATION.findall(sql))
    }

    prepared = Prepared(suite, schema, table, "", [name for name in suite.listed if name not in absent])
    for check in suite.checks:
        used = {name for column in check.columns for name in (needs.get(column) or {column})}
        lacking = sorted((used | (set(suite.key) if check.columns else set())) & absent)
        if lacking and set(lacking) & {*suite.columns, *suite.key}:
            prepared.not_run.append((check, f"not checked: no column {', '.join(lacking)}"))
        elif not lacking and all(name in derivable for name in check.columns if name in suite.derived):
            prepared.checks.append(check)
        # What is left concerns a column or a table that a company may lack.
    inner = [f"{quote(present[plain(name)])} as {quote(name)}" for name in dict.fromkeys(wanted) if name not in absent]
    outer = ["t.*", *(f"({sql}) as {quote(name)}" for name, sql in derivable.items())]
    relation = f"{quote(schema)}.{quote(table)}"
    sql = f"select {', '.join(outer)} from (select {', '.join(inner) or '1 as no_column'} from {relation}) as t"
    return replace(prepared, sql=sql)
