"""Connections to the warehouse that the dbt profile names.

The profile is found as dbt finds it, except that `~/.dbt` is never read: --profiles-dir, DBT_PROFILES_DIR, the current
folder. Targets of type duckdb and postgres are reached through their drivers, spark through a Spark session of this
process (method `session`) or a Thrift server on this machine (method `thrift`).
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import yaml

PROFILE = "leadlag"
_SQL_TYPES = {
    pa.string(): "text",
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.timestamp("us"): "timestamp",
    pa.date32(): "date",
}


class WarehouseError(RuntimeError):
    """The warehouse cannot be used as asked; the message says what to set or do."""


@dataclass(frozen=True)
class Target:
    """One output of a dbt profile, rendered."""

    name: str
    kind: str
    settings: Mapping[str, Any]


def _profiles_file(profiles_dir: str | os.PathLike[str] | None) -> Path:
    if profiles_dir is not None:
        places = [(Path(profiles_dir), "--profiles-dir")]
    elif os.environ.get("DBT_PROFILES_DIR"):
        places = [(Path(os.environ["DBT_PROFILES_DIR"]), "DBT_PROFILES_DIR")]
    else:
        places = [(Path.cwd(), "the current folder")]
    folder, origin = places[0]
    path = folder / "profiles.yml"
    if not path.is_file():
        raise WarehouseError(
            f"no profiles.yml in {folder} ({origin}); copy profiles.example.yml there, "
            "or name the folder with --profiles-dir or DBT_PROFILES_DIR"
        )
    return path


def _env_var(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if value is None:
        raise WarehouseError(f"profiles.yml asks for the environment variable {name}, which is not set")
    return value


def _as_number(value: str) -> int | float:
    try:
        return int(value)
    except ValueError:
        return float(value)


def _as_bool(value: str) -> bool:
    return value.strip().lower() in ("true", "1", "yes")


def _render(value: Any, environment: jinja2.Environment) -> Any:
    """Render the Jinja of a profile value the way dbt does: text stays text unless a filter says otherwise."""
    if isinstance(value, dict):
        return {key: _render(entry, environment) for key, entry in value.items()}
    if isinstance(value, list):
        return [_render(entry, environment) for entry in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    conversions: dict[str, Callable[[str], Any]] = {"as_number": _as_number, "as_bool": _as_bool}
    text = environment.from_string(value).render(env_var=_env_var, invocation_id="")
    for name, convert in conversions.items():
        if re.search(rf"\|\s*{name}\s*}}}}\s*$", value):
            return convert(text)
    return text


def find_target(
    target: str | None = None,
    profiles_dir: str | os.PathLike[str] | None = None,
    profile: str = PROFILE,
) -> Target:
    """Read one target of a dbt profile.

    Args:
        target: name of the output; the profile's default when None.
        profiles_dir: folder of profiles.yml; DBT_PROFILES_DIR or the current folder when None.
        profile: name of the profile.

    Raises:
        WarehouseError: no file, profile or target of that name, or a variable that is not set.
    """
    path = _profiles_file(profiles_dir)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise WarehouseError(f"{path} is not valid YAML: {error}") from None
    if profile not in content:
        raise WarehouseError(f"{path} has no profile {profile!r}; it has: {', '.join(map(str, content)) or 'none'}")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters |= dict.fromkeys(("as_number", "as_bool", "as_native", "as_text"), str)
    entry = content[profile]
    name = target or str(_render(entry.get("target", "default"), environment))
    outputs = entry.get("outputs") or {}
    if name not in outputs:
        raise WarehouseError(f"profile {profile!r} in {path} has no target {name!r}; it has: {', '.join(outputs)}")
    settings = _render(outputs[name], environment)
    return Target(name, str(settings.get("type", "")), settings)


def quote(identifier: str) -> str:
    """Identifier in double quotes, safe inside SQL."""
    return '"' + identifier.replace('"', '""') + '"'


class Warehouse(ABC):
    """A connection that reads queries into data frames and writes Arrow tables.

    Attributes:
        schema: the profile's schema, where dbt builds.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.schema = str(target.settings.get("schema", "main"))

    @abstractmethod
    def query(self, sql: str) -> pd.DataFrame:
        """Rows of a query."""

    @abstractmethod
    def rows(self, schema: str, table: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Column names and all rows of a table as Python values, integers of any size exact (a data frame's are not
        where a column has nulls)."""

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Run a statement that returns nothing."""

    @abstractmethod
    def tables(self, schema: str) -> set[str]:
        """Names of the tables and views in a schema; empty when there is no such schema."""

    @abstractmethod
    def create(self, schema: str, table: str, columns: pa.Schema) -> None:
        """An empty table of these columns in place of any other of that name; the schema is created when missing."""

    @abstractmethod
    def append(self, schema: str, table: str, rows: pa.Table) -> None:
        """Add rows to a table made by `create`, with the same columns."""

    def finish(self) -> None:
        """Make everything that was written durable and visible."""

    def close(self) -> None:
        """Give the connection up; what was not finished may be lost."""

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DuckDBWarehouse(Warehouse):
    """A DuckDB file, opened for this process alone, or a database that the profile attaches to one, such as a DuckLake."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import duckdb

        path = str(target.settings.get("path", ":memory:"))
        if path != ":memory:" and not path.startswith("md:"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            options = {**(target.settings.get("config_options") or {}), **(target.settings.get("settings") or {})}
            self._connection = duckdb.connect(path, config=options)
            self._attach(target.settings)
        except duckdb.IOException as error:
            raise WarehouseError(f"cannot open {path}: {error}\nIs a dbt run or another program using it?") from None
        except duckdb.Error as error:
            raise WarehouseError(f"cannot open {path}: {error}") from None
        ((self._threads,),) = self._connection.execute("select current_setting('threads')").fetchall()

    def _attach(self, settings: Mapping[str, Any]) -> None:
        for extension in settings.get("extensions") or []:
            self._connection.install_extension(extension)
            self._connection.load_extension(extension)
        for entry in settings.get("attach") or []:
            options = ", ".join(f"{name} '{value}'" for name, value in (entry.get("options") or {}).items())
            alias = f" as {quote(entry['alias'])}" if entry.get("alias") else ""
            self._connection.execute(f"attach '{entry['path']}'{alias}{f' ({options})' if options else ''}")
        if settings.get("database") and settings.get("attach"):
            self._connection.execute(f"use {quote(str(settings['database']))}")

    def query(self, sql: str) -> pd.DataFrame:
        return self._connection.execute(sql).df()

    def rows(self, schema: str, table: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        result = self._connection.execute(f"select * from {quote(schema)}.{quote(table)}")
        return tuple(column[0] for column in result.description), result.fetchall()

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def tables(self, schema: str) -> set[str]:
        rows = self._connection.execute(
            "select table_name from information_schema.tables where table_catalog = current_database() and table_schema = ?",
            [schema],
        ).fetchall()
        return {str(name) for (name,) in rows}

    def create(self, schema: str, table: str, columns: pa.Schema) -> None:
        self._connection.execute(f"create schema if not exists {quote(schema)}")
        kind = self._connection.execute(
            "select table_type from information_schema.tables "
            "where table_catalog = current_database() and table_schema = ? and table_name = ?",
            [schema, table],
        ).fetchone()
        if kind is not None and kind[0] == "VIEW":
            self._connection.execute(f"drop view {quote(schema)}.{quote(table)}")
        self._connection.execute(f"create or replace table {quote(schema)}.{quote(table)} ({_column_list(columns)})")

    def append(self, schema: str, table: str, rows: pa.Table) -> None:
        if rows.num_rows:
            # Two threads that compress into one file take as long as one and cost twice the processor time.
            self._connection.execute("set threads = 1")
            self._connection.register("leadlag_rows", rows)
            self._connection.execute(f"insert into {quote(schema)}.{quote(table)} by name select * from leadlag_rows")
            self._connection.unregister("leadlag_rows")

    def finish(self) -> None:
        self._connection.execute("checkpoint")
        self._connection.execute(f"set threads = {self._threads}")

    def close(self) -> None:
        self._connection.close()


def _driver(module: str, extra: str) -> Any:
    """A driver that is installed only with an extra of the package."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise WarehouseError(f"target of type {extra} needs the extra: pip install 'leadlag[{extra}]'") from None


class PostgresWarehouse(Warehouse):
    """A PostgreSQL database; everything up to `finish` is one transaction."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        psycopg2 = _driver("psycopg2", "postgres")
        settings = target.settings
        names = {"host": "host", "port": "port", "user": "user", "dbname": "dbname", "password": "password"}
        values = {name: settings[key] for name, key in names.items() if settings.get(key) not in (None, "")}
        values |= {"password": settings["pass"]} if settings.get("pass") else {}
        values |= {"dbname": settings["database"]} if settings.get("database") else {}
        try:
            self._connection = psycopg2.connect(**values)
        except psycopg2.OperationalError as error:
            place = f"{values.get('host', 'localhost')}:{values.get('port', 5432)}"
            raise WarehouseError(f"cannot connect to PostgreSQL at {place}: {str(error).strip()}") from None

    def query(self, sql: str) -> pd.DataFrame:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            names = [column[0] for column in cursor.description or []]
            return pd.DataFrame(cursor.fetchall(), columns=names)

    def rows(self, schema: str, table: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"select * from {quote(schema)}.{quote(table)}")
            return tuple(column[0] for column in cursor.description or []), cursor.fetchall()

    def execute(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)

    def tables(self, schema: str) -> set[str]:
        with self._connection.cursor() as cursor:
            cursor.execute("select table_name from information_schema.tables where table_schema = %s", [schema])
            return {str(name) for (name,) in cursor.fetchall()}

    def _columns(self, schema: str, table: str) -> list[tuple[str, str]]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select column_name, data_type from information_schema.columns "
                "where table_schema = %s and table_name = %s order by ordinal_position",
                [schema, table],
            )
            return [(str(name), str(kind)) for name, kind in cursor.fetchall()]

    def create(self, schema: str, table: str, columns: pa.Schema) -> None:
        name = f"{quote(schema)}.{quote(table)}"
        wanted = [
            (field.name, _SQL_TYPES[field.type].replace("timestamp", "timestamp without time zone"))
            for field in columns
        ]
        self.execute(f"create schema if not exists {quote(schema)}")
        if self._columns(schema, table) == wanted:
            # Emptying instead of dropping keeps the views that dbt has built on it.
            self.execute(f"truncate {name}")
            return
        self.execute(f"drop table if exists {name} cascade")
        self.execute(f"create table {name} ({_column_list(columns)})")

    def append(self, schema: str, table: str, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        names = ", ".join(quote(name) for name in rows.schema.names)
        statement = f"copy {quote(schema)}.{quote(table)} ({names}) from stdin with (format csv)"
        # Valid values are quoted and nulls are not, so that empty text stays empty text.
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
        with tempfile.TemporaryFile() as buffer, self._connection.cursor() as cursor:
            # In one piece: of a table with empty chunks pyarrow 26 writes bytes it never set.
            pyarrow.csv.write_csv(rows.combine_chunks(), buffer, options)
            buffer.seek(0)
            cursor.copy_expert(statement, buffer)

    def finish(self) -> None:
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


# Runs a statement of Spark: column names and rows.
Run = Callable[[str], tuple[tuple[str, ...], list[tuple[Any, ...]]]]


class SparkWarehouse(Warehouse):
    """Tables of Spark: of a session of this process (method `session`) or of a Thrift server (method `thrift`).

    Rows are collected in parquet files, of which `finish` makes managed tables. A Thrift server must be able to read those
    files, so it has to run on this machine.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        connections: dict[str, Callable[[Target], Run]] = {
            "session": _spark_session,
            "thrift": _spark_thrift,
        }
        method = str(target.settings.get("method"))
        if method not in connections:
            raise WarehouseError(
                f"target {target.name!r} reaches Spark by method {method!r}; this command knows {', '.join(connections)}. "
                "Use --output to write parquet files and load those."
            )
        self._run = connections[method](target)
        self._staging = Path(tempfile.mkdtemp(prefix="leadlag-spark-"))
        # The server may run as another user.
        self._staging.chmod(0o755)
        self._files: dict[tuple[str, str], int] = {}

    def query(self, sql: str) -> pd.DataFrame:
        columns, rows = self._run(sql)
        return pd.DataFrame(rows, columns=list(columns))

    def rows(self, schema: str, table: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        return self._run(f"select * from `{schema}`.`{table}`")

    def execute(self, sql: str) -> None:
        self._run(sql)

    def tables(self, schema: str) -> set[str]:
        if schema not in {row[0] for row in self._run("show databases")[1]}:
            return set()
        return set(self.query(f"show tables in `{schema}`")["tableName"])

    def create(self, schema: str, table: str, columns: pa.Schema) -> None:
        shutil.rmtree(self._staging / schema / table, ignore_errors=True)
        (self._staging / schema / table).mkdir(parents=True)
        self._files.pop((schema, table), None)
        # An empty file gives Spark the columns of a table without rows.
        self._write(schema, table, columns.empty_table())

    def append(self, schema: str, table: str, rows: pa.Table) -> None:
        if rows.num_rows:
            self._write(schema, table, rows)

    def _write(self, schema: str, table: str, rows: pa.Table) -> None:
        number = self._files.get((schema, table), 0)
        # Spark's only timestamp type that dbt models use is an instant; the profile sets the session's zone to UTC.
        fields = [
            pa.field(f.name, pa.timestamp("us", tz="UTC") if pa.types.is_timestamp(f.type) else f.type)
            for f in rows.schema
        ]
        path = self._staging / schema / table / f"part-{number:05d}.parquet"
        pyarrow.parquet.write_table(rows.cast(pa.schema(fields)), path)
        self._files[schema, table] = number + 1

    def finish(self) -> None:
        for schema in {schema for schema, _ in self._files}:
            self._run(f"create schema if not exists `{schema}`")
        for schema, table in self._files:
            files = (self._staging / schema / table).as_uri()
            self._run(f"drop table if exists `{schema}`.`{table}`")
            self._run(f"create table `{schema}`.`{table}` using parquet as select * from parquet.`{files}`")

    def close(self) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)


def _spark_session(target: Target) -> Run:
    """Runs statements in a Spark session of this process, started as dbt would."""
    builder = _driver("pyspark.sql", "spark").SparkSession.builder.appName("leadlag").enableHiveSupport()
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    for key, value in (target.settings.get("server_side_parameters") or {}).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()

    def run(sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        # Not by toPandas, which warns of pandas 3.
        frame = session.sql(sql)
        return tuple(frame.columns), [tuple(row) for row in frame.collect()]

    return run


def _spark_thrift(target: Target) -> Run:
    """Runs statements on the Thrift server of a target."""
    host, port = str(target.settings.get("host", "localhost")), int(target.settings.get("port") or 10000)
    if host not in ("localhost", "127.0.0.1", "::1"):
        raise WarehouseError(
            f"the Thrift server on {host} cannot read the files of this machine. Use --output to write parquet files to "
            "storage that it can read, and create tables of them there."
        )
    hive = _driver("pyhive.hive", "spark")
    try:
        cursor = hive.connect(host=host, port=port).cursor()
    except Exception as error:  # the driver's errors have no common class
        raise WarehouseError(
            f"no Thrift server answers on {host}:{port} ({error}); start one: scripts/spark.sh start"
        ) from None

    def run(sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        cursor.execute(sql)
        if cursor.description is None:
            return (), []
        return tuple(column[0].split(".")[-1] for column in cursor.description), cursor.fetchall()

    return run


def _column_list(columns: pa.Schema) -> str:
    return ", ".join(f"{quote(field.name)} {_SQL_TYPES[field.type]}" for field in columns)


_KINDS: dict[str, Callable[[Target], Warehouse]] = {
    "duckdb": DuckDBWarehouse,
    "postgres": PostgresWarehouse,
    "spark": SparkWarehouse,
}


def connect(target: Target) -> Warehouse:
    """Open the warehouse of a target.

    Raises:
        WarehouseError: a type that is not supported, a missing driver, or a server that does not answer.
    """
    if target.kind not in _KINDS:
        raise WarehouseError(
            f"target {target.name!r} has type {target.kind!r}; this command works with {', '.join(_KINDS)}. "
            "Use --output to write parquet files instead."
        )
    return _KINDS[target.kind](target)


@contextmanager
def opened(
    target: str | None = None, profiles_dir: str | os.PathLike[str] | None = None, profile: str = PROFILE
) -> Iterator[Warehouse]:
    """Warehouse of a profile's target, closed at the end of the block."""
    with connect(find_target(target, profiles_dir, profile)) as warehouse:
        yield warehouse
