"""Set-up: what a fresh machine gets, and what must never happen to a machine that is in use."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date, timedelta
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ROOT, RunDbt
from dbt.adapters.factory import load_plugin
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context

STAND_IN = ROOT / "stand_ins" / "dbt_utils"
BIN = Path(sys.executable).parent


def run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def select(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


# --- dbt_utils ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["stand-in", "installed"])
def dbt_utils_project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty project with dbt_utils: the stand-in, or what set-up installed (where the hub answers, the real one)."""
    source = STAND_IN if request.param == "stand-in" else ROOT / "dbt_packages" / "dbt_utils"
    project = write(tmp_path / "project", {"dbt_project.yml": "name: probe\nversion: 1.0.0\nprofile: leadlag\n"})
    shutil.copytree(source, project / "dbt_packages" / "dbt_utils")
    return project


@pytest.mark.parametrize(
    ("part", "start", "end", "first", "last", "count"),
    [
        ("day", date(2020, 2, 27), date(2020, 3, 2), date(2020, 2, 27), date(2020, 3, 1), 4),
        ("day", date(2000, 1, 1), date(2040, 1, 1), date(2000, 1, 1), date(2039, 12, 31), 14610),
        ("month", date(2019, 11, 1), date(2020, 3, 1), date(2019, 11, 1), date(2020, 2, 1), 4),
    ],
)
def test_date_spine_has_every_step_from_its_start_to_before_its_end(
    dbt_utils_project: Path,
    run_dbt: RunDbt,
    warehouse: Path,
    part: str,
    start: date,
    end: date,
    first: date,
    last: date,
    count: int,
) -> None:
    spine = f"dbt_utils.date_spine('{part}', \"cast('{start}' as date)\", \"cast('{end}' as date)\")"
    write(
        dbt_utils_project,
        {"models/spine.sql": f"select cast(date_{part} as date) as step from ({{{{ {spine} }}}}) as s"},
    )
    run_dbt(["run"], project_dir=dbt_utils_project, duckdb_path=warehouse)
    steps = [row[0] for row in select(warehouse, "select step from spine order by step")]
    assert len(steps) == len(set(steps)) == count
    assert (steps[0], steps[-1]) == (first, last)
    if part == "day":
        assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(steps))


@pytest.mark.parametrize(
    ("columns", "repeated"),
    # A combination is what counts, not its parts; nulls are equal to each other here.
    [("id, n", 0), ("grp, n", 2), ("grp", 3)],
)
def test_unique_combination_counts_the_combinations_that_repeat(
    dbt_utils_project: Path, run_dbt: RunDbt, warehouse: Path, columns: str, repeated: int
) -> None:
    test = {"name": "probe_test", "arguments": {"combination_of_columns": columns.split(", ")}}
    properties = {"models": [{"name": "rows", "data_tests": [{"dbt_utils.unique_combination_of_columns": test}]}]}
    values = "(1, 'a', 1), (2, 'a', 2), (3, 'b', 2), (4, 'b', 2), (5, null, null), (6, null, null)"
    write(
        dbt_utils_project,
        {
            "models/rows.sql": f"select * from (values {values}) as given (id, grp, n)",
            "models/rows.yml": yaml.safe_dump(properties),
        },
    )
    done = run_dbt(["build"], project_dir=dbt_utils_project, duckdb_path=warehouse, may_fail=True)
    assert done.status["probe_test"] == ("fail" if repeated else "pass")
    assert done.failures.get("probe_test", 0) == repeated


def stand_in_names() -> set[str]:
    """Macros and generic tests that the stand-in defines."""
    text = "".join(path.read_text(encoding="utf-8") for path in STAND_IN.rglob("*.sql"))
    return set(re.findall(r"{%-?\s*(?:macro|test)\s+(\w+)", text))


def test_stand_in_holds_what_the_project_uses_and_no_more() -> None:
    used: set[str] = set()
    for folder in ("models", "macros", "tests", "seeds", "snapshots", "analyses", "examples", "python/tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".sql", ".yml") and "dbt_packages" not in path.parts and path.is_file():
                used |= set(re.findall(r"\bdbt_utils\.(\w+)", path.read_text(encoding="utf-8")))
    assert stand_in_names() == used


def test_every_macro_is_called() -> None:
    """dbt-bouncer has such a check, but it takes other engines' variants of dispatched macros for dead."""
    callers = [ROOT / "dbt_project.yml", ROOT / "README.md", ROOT / "Makefile"]
    for folder in ("models", "macros", "tests", "seeds", "snapshots", "analyses", "examples", "docs", "python"):
        callers += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".sql", ".yml", ".md", ".py") and not {"dbt_packages", "target"} & set(path.parts)
        ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in callers if path.exists())
    defined = set()
    for path in (ROOT / "macros").rglob("*.sql"):
        defined |= set(re.findall(r"{%-?\s*macro\s+(?:[a-z]+__)?(\w+)", path.read_text(encoding="utf-8")))
    # dbt itself calls those that replace one of its own.
    defined -= {"generate_schema_name", "generate_alias_name", "generate_database_name"}
    defined -= {"apply_grants", "cast", "load_csv_rows"}
    without_definitions = re.sub(r"{%-?\s*macro\s+\w+", "", text)
    called = set(re.findall(r"\b(\w+)\(", without_definitions))
    # adapter.dispatch and run-operation name a macro without calling it.
    called |= set(re.findall(r"(?:dispatch\(|run-operation )['\"]?(\w+)", without_definitions))
    # dbt finds an incremental strategy by its name.
    called |= {f"get_incremental_{name}_sql" for name in re.findall(r"incremental\(['\"](\w+)", without_definitions)}
    assert sorted(defined - called) == []


def test_packages_of_a_consumer_are_installed_without_the_hub(tmp_path: Path, run_dbt: RunDbt, warehouse: Path) -> None:
    library = write(
        tmp_path / "library",
        {
            "dbt_project.yml": "name: library\nversion: 1.0.0\nprofile: leadlag\n",
            "packages.yml": 'packages:\n  - package: dbt-labs/dbt_utils\n    version: [">=1.3.0", "<2.0.0"]\n',
            "models/answer.sql": "{{ dbt_utils.date_spine('day', \"date '2020-02-29'\", \"date '2020-03-01'\") }}",
        },
    )
    consumer = write(
        tmp_path / "consumer",
        {
            "dbt_project.yml": "name: consumer\nversion: 1.0.0\nprofile: leadlag\n",
            "packages.yml": "packages:\n  - local: ../library\n",
            "models/use.sql": "select cast(date_day as date) as found from {{ ref('library', 'answer') }}",
            "dbt_packages/left_over/file": "",
        },
    )
    script = [sys.executable, str(ROOT / "scripts" / "install_packages.py"), str(consumer)]
    done = run([*script, "--dbt-utils", str(STAND_IN)], ROOT)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (consumer / "dbt_packages").iterdir()) == ["dbt_utils", "library"]
    assert (consumer / "dbt_packages" / "library").resolve() == library
    run_dbt(["run"], project_dir=consumer, duckdb_path=warehouse)
    assert select(warehouse, "select found from use") == [(date(2020, 2, 29),)]

    # Emptying the folder must remove the link to a local package, not the package.
    assert run([*script, "--dbt-utils", str(STAND_IN)], ROOT).returncode == 0
    assert (library / "models" / "answer.sql").exists()

    refused = run([*script, "--dbt-utils", str(library)], ROOT)
    assert refused.returncode != 0
    assert "no dbt_utils" in refused.stderr


# --- versions, profile, checkout ----------------------------------------------------------------------------------


def locked_versions() -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"([a-z0-9-]+)==([A-Za-z0-9.+!]+)( ; [a-z_]+ [^/:]+)?", line)
        assert found, f"not `name==version` with an optional marker: {line}"
        versions.setdefault(found[1], set()).add(found[2])
    return versions


def test_lock_pins_every_direct_dependency_at_its_declared_version_and_names_no_registry() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = [
        *project["dependencies"],
        *(line for name in ("audit", "dev", "ducklake", "postgres") for line in extras[name]),
    ]
    locked = locked_versions()
    for requirement in declared:
        name, version = requirement.split("==")
        assert locked.get(name) == {version}, requirement
    assert locked["sqlfluff"] == locked["sqlfluff-templater-dbt"]


@pytest.mark.parametrize("target", ["duckdb", "ducklake", "postgres", "spark"])
def test_profile_example_gives_a_connection_for_every_target(target: str) -> None:
    set_invocation_context({**os.environ, "LEADLAG_SCHEMA": "sandbox"})
    raw = yaml.safe_load((ROOT / "profiles.example.yml").read_text(encoding="utf-8"))["leadlag"]
    rendered = ProfileRenderer({}).render_data(raw)
    assert set(rendered["outputs"]) == {"duckdb", "ducklake", "postgres", "spark"}
    assert rendered["target"] == "duckdb"
    output = rendered["outputs"][target]
    kind, threads = ("duckdb", 1) if target in ("duckdb", "ducklake") else (target, 2)
    assert (output["type"], output["schema"], output["threads"]) == (kind, "sandbox", threads)
    if target == "spark" and find_spec("dbt.adapters.spark") is None:
        # An extra that set-up leaves out.
        assert (output["method"], output["port"]) == ("session", 10000)
        return
    credentials = load_plugin(kind)
    values = credentials.translate_aliases({k: v for k, v in output.items() if k not in ("type", "threads")})
    credentials.validate(values)
    connection = credentials.from_dict(values)
    assert connection.schema == "sandbox"
    if target == "duckdb":
        assert (connection.path, connection.database) == ("leadlag.duckdb", "leadlag")


def test_nothing_generated_is_tracked() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    tracked_but_ignored = run(["git", "ls-files", "--cached", "--ignored", "--exclude-standard"], ROOT)
    assert tracked_but_ignored.returncode == 0, tracked_but_ignored.stderr
    assert tracked_but_ignored.stdout == ""
    made = [
        "profiles.yml",
        "leadlag.duckdb",
        "target/manifest.json",
        "dbt_packages/dbt_utils/x",
        ".cache/x",
        ".user.yml",
    ]
    ignored = run(["git", "check-ignore", *made], ROOT).stdout.split()
    assert ignored == made


def test_dbt_writes_nothing_to_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    unset = dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DO_NOT_TRACK"), "")
    done = run(
        [str(BIN / "dbt"), "--quiet", "parse", "--target-path", str(tmp_path / "t"), "--log-path", str(tmp_path / "l")],
        ROOT,
        HOME=str(home),
        DBT_PROFILES_DIR=str(ROOT),
        LEADLAG_DUCKDB_PATH=str(tmp_path / "leadlag.duckdb"),
        **unset,
    )
    assert done.returncode == 0, done.stdout
    assert list(home.rglob("*")) == []


def test_second_setup_does_nothing_and_a_changed_input_undoes_that(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    inputs = ["Makefile", "pyproject.toml", "requirements.lock", "packages.yml", "profiles.example.yml"]
    checkout.mkdir()
    for name in inputs:
        shutil.copy(ROOT / name, checkout / name)
    for name in ("scripts", "stand_ins"):
        shutil.copytree(ROOT / name, checkout / name)
    made = [checkout / ".venv" / ".installed", checkout / "profiles.yml", checkout / "dbt_packages" / ".installed"]
    for path in made:
        path.parent.mkdir(exist_ok=True)
        path.touch()

    def has_work() -> bool:
        done = run(["make", "--question", "setup"], checkout, MAKEFLAGS="", EXTRA="")
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 1

    assert not has_work()
    for name in ("requirements.lock", "packages.yml", "stand_ins/dbt_utils/macros/sql/date_spine.sql"):
        stamp = (checkout / name).stat().st_mtime_ns
        later = max(path.stat().st_mtime_ns for path in made) + 10**9
        os.utime(checkout / name, ns=(later, later))
        assert has_work(), name
        os.utime(checkout / name, ns=(stamp, stamp))
        assert not has_work()
    for path in made:
        path.unlink()
        assert has_work(), path
        path.touch()


# --- demo data ----------------------------------------------------------------------------------------------------


def demo_data(warehouse: Path, seed: int = 1) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "demo_data.py")]
    command += ["--leads", "60", "--seed", str(seed), "--until", "2025-12-31"]
    return run(command, ROOT, LEADLAG_DUCKDB_PATH=str(warehouse))


def test_demo_data_never_replaces_a_warehouse_with_other_tables(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema salesforce")
        connection.execute("create table salesforce.lead as select 'mine' as id")
    done = demo_data(warehouse)
    assert done.returncode != 0
    assert "Move the file away" in done.stderr
    assert select(warehouse, "select id from salesforce.lead") == [("mine",)]


def test_demo_data_is_made_once_for_the_same_parameters(warehouse: Path) -> None:
    def people() -> list[tuple[Any, ...]]:
        return select(warehouse, "select * exclude (_fivetran_synced) from salesforce.lead order by id")

    assert demo_data(warehouse).returncode == 0
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table built_later as select 1 as x")
    first = people()
    again = demo_data(warehouse)
    assert "up to date" in again.stdout
    assert select(warehouse, "select x from built_later") == [(1,)]

    other = demo_data(warehouse, seed=2)
    assert other.returncode == 0, other.stderr
    assert people() != first
    tables = [row[0] for row in select(warehouse, "select table_name from duckdb_tables()")]
    assert "built_later" not in tables


# --- dbt in this process ------------------------------------------------------------------------------------------


def test_run_dbt_serves_several_projects_and_files_and_frees_each(run_dbt: RunDbt, tmp_path: Path) -> None:
    projects = {
        name: write(
            tmp_path / name,
            {
                "dbt_project.yml": f"name: {name}\nversion: 1.0.0\nprofile: leadlag\n",
                "models/answer.sql": f"select '{name}' as project, '{{{{ var('x', 'default') }}}}' as x",
            },
        )
        for name in ("one", "two")
    }
    for round_ in ("first", "second"):
        for name, project in projects.items():
            path = tmp_path / round_ / name / "leadlag.duckdb"
            path.parent.mkdir(parents=True)
            run_dbt(["run"], project_dir=project, duckdb_path=path)
            # From another process, and to write: both need the file's lock.
            code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create table more as select 1 as x')"
            other = run([sys.executable, "-c", code, str(path)], tmp_path)
            assert other.returncode == 0, other.stderr
            assert select(path, "select project, x from answer") == [(name, "default")]

    manifest = run_dbt(["parse"], project_dir=projects["one"], duckdb_path=path).manifest
    assert manifest is not None
    for value in ("a", "b"):
        run_dbt(["run"], project_dir=projects["one"], duckdb_path=path, manifest=manifest, variables={"x": value})
        assert select(path, "select project, x from answer") == [("one", value)]

    write(projects["one"], {"models/wrong.sql": "select no_such_column from {{ ref('answer') }}"})
    failed = run_dbt(["run"], project_dir=projects["one"], duckdb_path=path, may_fail=True)
    assert not failed.success
    assert failed.status == {"answer": "success", "wrong": "error"}
    assert "no_such_column" in json.dumps(failed.messages)
