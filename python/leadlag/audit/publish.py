"""The scheduled run: audit the sources, build apart, audit the marts, and only then replace the published ones.

A build that fails is tried once more, as far as it failed.

DuckDB: everything happens in a copy of the warehouse file in the folder .pending beside it, which takes the file's place
in one step. PostgreSQL: dbt builds into SCHEMA_pending_*, whose relations move to SCHEMA_* in one transaction. Readers
see the marts of the last run or of this one, never some of both; a run that fails leaves them as they are.

Exit code 0: published; 1: an expectation or the build failed, nothing was published; 2: the run could not begin.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from leadlag.audit.command import (
    UnusableError,
    add_shared_arguments,
    audit,
    profile_name,
    read_time,
    read_variables,
    record,
    report,
    site_folder,
    usable_target,
)
from leadlag.audit.results import Result
from leadlag.audit.suites import Layout, SuiteError
from leadlag.cli import FAILED, OK, USAGE, CommandError
from leadlag.warehouse import DuckDBWarehouse, Target, Warehouse, WarehouseError, connect, find_target, quote

PENDING = ".pending"
# macros/operations/lock.sql: each schema that dbt builds has its own.
BUILD_LOCK = "build_lock"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag publish`."""
    add_shared_arguments(parser)


class Place(ABC):
    """Where a run builds before it publishes.

    Attributes:
        published: the profile's target.
        pending: the same target, pointing at the place of the build.
        variables: dbt variables that the build needs besides those of the call.
    """

    published: Target
    pending: Target
    variables: Mapping[str, Any]

    @property
    def schema(self) -> str:
        """dbt's schema where the marts are published."""
        return str(self.published.settings.get("schema", "main"))

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """What dbt must find in its environment to build into the pending place."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the pending place."""

    @abstractmethod
    def publish(self) -> None:
        """Let the pending marts take the place of the published ones, all at once."""

    @abstractmethod
    def record(self, schema: str, results: list[Result], site: Path) -> Path | None:
        """Add results where readers of the published marts find them."""

    @contextmanager
    def alone(self, folder: Path) -> Iterator[None]:
        """Only one run at a time; one that has been killed keeps nobody out."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UnusableError(f"another run holds {folder / 'lock'}; wait until it has ended") from None
            yield

    def note(self, schema: str, results: list[Result], site: Path) -> Path | None:
        """Add results of a run that goes on; they are published with it."""
        return self.record(schema, results, site)


def _stamp(path: Path) -> tuple[int, int, int]:
    state = path.stat()
    return state.st_ino, state.st_mtime_ns, state.st_size


class DuckDBPlace(Place):
    """A copy of the warehouse file, with the same name because DuckDB takes the database's name from it."""

    variables: Mapping[str, Any] = {}

    def __init__(self, target: Target) -> None:
        self.published = target
        self.file = Path(str(target.settings["path"])).resolve()
        self.copy = self.file.parent / PENDING / self.file.name
        self.pending = replace(target, settings={**target.settings, "path": str(self.copy)})
        self._stamp: tuple[int, int, int] | None = None

    def environment(self) -> dict[str, str]:
        return {"LEADLAG_DUCKDB_PATH": str(self.copy)}

    def _wal(self, path: Path) -> Path:
        return path.with_name(path.name + ".wal")

    def prepare(self) -> None:
        if self._wal(self.file).exists():
            # What a writer has committed but not yet put into the file; opening the file does that.
            DuckDBWarehouse(self.published).close()
        self._stamp = _stamp(self.file)
        for path in (self.copy, self._wal(self.copy)):
            path.unlink(missing_ok=True)
        shutil.copyfile(self.file, self.copy)
        self._refuse_changes()

    def _refuse_changes(self) -> None:
        if _stamp(self.file) != self._stamp or self._wal(self.file).exists():
            raise CommandError(
                f"{self.file} was written while the run worked on its copy; nothing was published, so that no load is "
                "lost. Run again when the loader has finished"
            )

    def publish(self) -> None:
        self._refuse_changes()
        if self._wal(self.copy).exists():
            DuckDBWarehouse(self.pending).close()
        self.copy.replace(self.file)
        self._stamp = _stamp(self.file)

    def note(self, schema: str, results: list[Result], site: Path) -> Path | None:
        return record(self.pending, schema, results, site)

    def record(self, schema: str, results: list[Result], site: Path) -> Path | None:
        # A fresh copy that differs in the results alone: readers hold locks that writing into the file would need.
        self.prepare()
        page = record(self.pending, schema, results, site)
        self.publish()
        return page


class PostgresPlace(Place):
    """Schemas of their own in the same database."""

    def __init__(self, target: Target) -> None:
        self.published = target
        self.pending_schema = f"{self.schema}_pending"
        self.pending = replace(target, settings={**target.settings, "schema": self.pending_schema})
        self.variables = {
            "audit_schema": f"{self.schema}_audit",
            "prediction_schema": f"{self.schema}_prediction",
        }

    def environment(self) -> dict[str, str]:
        return {"LEADLAG_SCHEMA": self.pending_schema}

    @contextmanager
    def alone(self, folder: Path) -> Iterator[None]:
        # Runs on other machines would use the same pending schemas; the server knows while this connection lives.
        with super().alone(folder), connect(self.published) as warehouse:
            key = f"hashtextextended({_literal('leadlag publish ' + self.schema)}, 0)"
            free = warehouse.query(f"select pg_try_advisory_lock({key}) as is_free")["is_free"][0]
            warehouse.finish()
            if not free:
                raise UnusableError(
                    f"another run publishes schema {self.schema} of this server; wait until it has ended"
                )
            yield

    def _keep_builds_out(self, warehouse: Warehouse) -> None:
        """Refuse while dbt builds in place, and let none begin before this transaction has ended.

        That build would go on in tables, and with a memory of builds (SCHEMA_build), which are not those it began with.
        """
        place = f"{self.schema}_policy"
        if BUILD_LOCK not in warehouse.tables(place):
            return
        lock = f"{quote(place)}.{quote(BUILD_LOCK)}"
        warehouse.execute(f"lock table {lock} in exclusive mode")
        alive = "select application_name from pg_stat_activity where datname = current_database()"
        held = f"select login, since from {lock} where holder in ({alive})"
        if not len(warehouse.query(f"select 1 from {lock}")):
            return
        # A live build is between two connections for milliseconds.
        for _ in range(5):
            warehouse.query("select cast(pg_stat_clear_snapshot() as text), cast(pg_sleep(0.2) as text)")
            for login, since in warehouse.query(held).itertuples(index=False):
                raise CommandError(
                    f"a build of schema {self.schema} is running (login {login}, since {since}); nothing was published, "
                    "run again when it has ended"
                )

    def _schemas(self, warehouse: Warehouse, prefix: str) -> list[str]:
        """The schemas that dbt makes from a schema's name."""
        frame = warehouse.query("select nspname from pg_namespace order by nspname")
        return [str(name) for name in frame["nspname"] if name == prefix or str(name).startswith(prefix + "_")]

    def _pairs(self, warehouse: Warehouse) -> dict[str, str]:
        """Pending schema -> the schema that it is published to."""
        found = self._schemas(warehouse, self.pending_schema)
        return {name: self.schema + name.removeprefix(self.pending_schema) for name in found}

    def _refuse_foreign_views(self, warehouse: Warehouse, schemas: Sequence[str]) -> None:
        ours = ", ".join(_literal(name) for name in schemas) or "''"
        frame = warehouse.query(
            f"""
            select distinct reader.nspname || '.' || view.relname as name
            from pg_depend as link
            inner join pg_rewrite as rule on rule.oid = link.objid and link.classid = 'pg_rewrite'::regclass
            inner join pg_class as view on view.oid = rule.ev_class
            inner join pg_namespace as reader on reader.oid = view.relnamespace
            inner join pg_class as relation on relation.oid = link.refobjid
            inner join pg_namespace as place on place.oid = relation.relnamespace
            where place.nspname in ({ours}) and reader.nspname not in ({ours})
            order by 1
            """
        )
        if len(frame):
            raise CommandError(
                f"views outside dbt's schemas read what would be replaced, and would be lost: {', '.join(frame['name'])}. "
                "Make them models of the dbt project, or drop them; nothing was published"
            )

    def prepare(self) -> None:
        with connect(self.published) as warehouse:
            published = [name for name in self._schemas(warehouse, self.schema) if name not in self._pairs(warehouse)]
            self._refuse_foreign_views(warehouse, [*published, *self._pairs(warehouse)])
            for name in self._pairs(warehouse):
                warehouse.execute(f"drop schema {quote(name)} cascade")
            # Snapshots go on from what they know; everything else is built anew.
            snapshots = f"{self.schema}_snapshots"
            own = f"{self.pending_schema}_snapshots"
            warehouse.execute(f"create schema {quote(own)}")
            for table in sorted(warehouse.tables(snapshots)):
                warehouse.execute(
                    f"create table {quote(own)}.{quote(table)} as table {quote(snapshots)}.{quote(table)}"
                )
            warehouse.finish()

    def publish(self) -> None:
        with connect(self.published) as warehouse:
            self._keep_builds_out(warehouse)
            pairs = self._pairs(warehouse)
            self._refuse_foreign_views(warehouse, [*pairs, *pairs.values()])
            retired = f"{self.pending_schema}_retired"
            warehouse.execute(f"create schema {quote(retired)}")
            for number, (pending, published) in enumerate(pairs.items()):
                warehouse.execute(f"create schema if not exists {quote(published)}")
                for table, kind in _relations(warehouse, pending).items():
                    if table == BUILD_LOCK:
                        continue
                    old = _relations(warehouse, published).get(table)
                    grants: list[str] = []
                    if old is not None:
                        grants = _grants(warehouse, published, table)
                        # Names of several schemas meet in one, so each gets its number.
                        name = f"{number}_{table}"[:63]
                        warehouse.execute(f"alter {old} {quote(published)}.{quote(table)} rename to {quote(name)}")
                        warehouse.execute(f"alter {old} {quote(published)}.{quote(name)} set schema {quote(retired)}")
                    warehouse.execute(f"alter {kind} {quote(pending)}.{quote(table)} set schema {quote(published)}")
                    for grant in grants:
                        warehouse.execute(f"grant {grant}")
            for name in [*pairs, retired]:
                warehouse.execute(f"drop schema {quote(name)} cascade")
            warehouse.finish()

    def record(self, schema: str, results: list[Result], site: Path) -> Path | None:
        return record(self.published, schema, results, site)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _relations(warehouse: Warehouse, schema: str) -> dict[str, str]:
    """Name -> table, view or materialized view."""
    frame = warehouse.query(
        "select relname, relkind::text as relkind from pg_class where relkind in ('r', 'p', 'v', 'm') "
        f"and relnamespace = (select oid from pg_namespace where nspname = {_literal(schema)}) order by relname"
    )
    kinds = {"r": "table", "p": "table", "v": "view", "m": "materialized view"}
    return {str(name): kinds[str(kind)] for name, kind in frame.itertuples(index=False)}


def _grants(warehouse: Warehouse, schema: str, table: str) -> list[str]:
    """What others than the owner may do with a relation, as `select on ... to ...`: dbt knows only its own grants."""
    frame = warehouse.query(
        f"""
        select
            entry.privilege_type as privilege,
            case when entry.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(entry.grantee)) end as grantee
        from pg_class as relation
        cross join lateral aclexplode(relation.relacl) as entry
        where
            relation.relname = {_literal(table)}
            and relation.relnamespace = (select oid from pg_namespace where nspname = {_literal(schema)})
            and entry.grantee <> relation.relowner
        """
    )
    name = f"{quote(schema)}.{quote(table)}"
    return [f"{privilege} on {name} to {grantee}" for privilege, grantee in frame.itertuples(index=False)]


@contextmanager
def _set(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _check_profile(place: Place, arguments: argparse.Namespace) -> None:
    """The profile must let dbt be sent to the pending place: else the build would replace the published marts."""
    with _set(place.environment()):
        reached = find_target(place.published.name, arguments.profiles_dir, profile_name(arguments))
    for setting, wanted in place.pending.settings.items():
        if wanted != place.published.settings.get(setting) and wanted != reached.settings.get(setting):
            raise UnusableError(
                f"target {reached.name!r}: `{setting}` of the profile does not follow {', '.join(place.environment())}; "
                f"write it as in profiles.example.yml, so that dbt can build apart"
            )


def _target_path(arguments: argparse.Namespace) -> Path:
    """dbt's: a relative one is relative to the project."""
    return Path(arguments.project_dir, os.environ.get("DBT_TARGET_PATH") or "target").resolve()


def _dbt(place: Place, arguments: argparse.Namespace, *words: str) -> bool:
    """One dbt command on the pending place, whose output goes to the terminal; whether it succeeded.

    It has a target folder of its own: dbt parses a project anew when the place it builds in is not that of the last command.
    """
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", *words, "--target", place.published.name]
    command += ["--project-dir", str(arguments.project_dir)]
    command += ["--profiles-dir", str(arguments.profiles_dir)] if arguments.profiles_dir else []
    command += ["--profile", str(arguments.profile)] if arguments.profile else []
    environment = {
        **os.environ,
        **place.environment(),
        "DBT_TARGET_PATH": str(_target_path(arguments) / "publish"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    return subprocess.run(command, env=environment, check=False).returncode == 0


def _build(place: Place, arguments: argparse.Namespace) -> None:
    """`dbt build` into the pending place, with one `dbt retry`."""
    variables = yaml.safe_dump({**place.variables, **(yaml.safe_load(arguments.vars) or {})})
    # dbt retry repeats what the last results say: those of an earlier run must not pass for this one's.
    results = _target_path(arguments) / "publish" / "run_results.json"
    results.unlink(missing_ok=True)
    if _dbt(place, arguments, "build", "--vars", variables):
        return
    if not results.is_file():
        raise CommandError("dbt stopped before the first model, see above; the published marts are as they were")
    print("dbt build failed; one retry of what failed and was skipped", flush=True)
    if not _dbt(place, arguments, "retry", "--vars", variables):
        raise CommandError("dbt build failed, see above; the published marts are as they were")


def _run(place: Place, arguments: argparse.Namespace) -> int:
    run_at = read_time(arguments.run_at)
    variables = {**read_variables(arguments.project_dir, arguments.vars), **place.variables}
    schema = str(variables.get("audit_schema") or f"{place.schema}_audit")
    site = site_folder(arguments.site)

    def check(checkpoint: str, target: Target) -> list[Result]:
        layout = Layout(variables, str(target.settings.get("schema", "main")))
        sample = arguments.failing_rows
        found = audit(target, layout, [checkpoint], arguments.suites_dir, run_at, sample, arguments.quiet)
        # Trends go on: the pending schema is nobody's name for a mart.
        return [replace(one, schema_name=_published_name(one.schema_name, place)) for one in found]

    place.prepare()
    found = check("raw", place.pending)
    if not report(found):
        page = place.record(schema, found, site)
        raise CommandError(
            f"the sources failed their audit; nothing was built and the published marts are as they were ({page})"
        )
    _build(place, arguments)
    marts = check("marts", place.pending)
    found += marts
    if not report(marts):
        page = place.record(schema, found, site)
        raise CommandError(f"the marts failed their audit; the published ones are as they were ({page})")
    page = place.note(schema, found, site)
    place.publish()
    print(f"published {place.schema}_marts, run at {run_at} UTC\nsite      {page}   (opens from disk)")
    return OK


def _driver_errors() -> tuple[type[Exception], ...]:
    """What the drivers that are installed raise."""
    import duckdb

    try:
        return (duckdb.Error, OSError, importlib.import_module("psycopg2").Error)
    except ImportError:
        return (duckdb.Error, OSError)


def _published_name(schema: str, place: Place) -> str:
    pending = str(place.pending.settings.get("schema", "main"))
    same = schema == pending or schema.startswith(pending + "_")
    return place.schema + schema.removeprefix(pending) if same else schema


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag publish`; returns the exit code."""
    try:
        target = usable_target(arguments)
        place: Place = DuckDBPlace(target) if target.kind == "duckdb" else PostgresPlace(target)
        # Two schemas may be published at once, but not from one target folder of dbt.
        folder = place.copy.parent if isinstance(place, DuckDBPlace) else _target_path(arguments)
        _check_profile(place, arguments)
        with place.alone(folder):
            return _run(place, arguments)
    except (UnusableError, SuiteError, WarehouseError) as error:
        print(f"leadlag publish: {error}", file=sys.stderr)
        return USAGE
    except CommandError as error:
        print(f"leadlag publish: {error}", file=sys.stderr)
        return FAILED
    except _driver_errors() as error:
        # A right that is missing, a full disk; what was begun is rolled back or left in the pending place.
        print(f"leadlag publish: the warehouse refused: {str(error).strip()}; nothing was published", file=sys.stderr)
        return FAILED
