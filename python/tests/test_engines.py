"""The same company gives the same marts on every engine, row for row, and every test of the project holds there."""

import os
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from leadlag.compare import Mart, compare, differences, read_marts
from leadlag.warehouse import opened

ROOT = Path(__file__).resolve().parents[2]
KEY = 2**60 - 1


def build(engine: str, environment: dict[str, str], *arguments: str) -> None:
    """Simulates a small company on an engine and builds the project there; a failing command fails the test."""
    environment = {**environment, "LEADLAG_TARGET": engine}
    company = ["--leads", "300", "--seed", "11", "--until", "2025-12-31", "--target", engine]
    for command in (
        [sys.executable, "-m", "leadlag", "simulate", "--quiet", *company],
        ["dbt", "--quiet", "--no-use-colors", "build", *arguments],
    ):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.fail(f"{engine}: {' '.join(command[:3])}\n{done.stdout[-4000:]}{done.stderr[-2000:]}", pytrace=False)


def test_marts_are_equal_on_duckdb_and_postgresql(
    profiles_dir: Path, postgres_server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server sorts text as English and sits in New York (scripts/postgres.sh): neither may show.
    settings = {
        **postgres_server,
        "DBT_PROFILES_DIR": str(profiles_dir),
        "LEADLAG_DUCKDB_PATH": str(tmp_path / "leadlag.duckdb"),
        "LEADLAG_SCHEMA": "engines",
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }
    environment = {**os.environ, **settings}
    build("duckdb", environment, "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    build("postgres", environment)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    marts = {}
    for engine in ("duckdb", "postgres"):
        with opened(engine) as warehouse:
            marts[engine] = read_marts(warehouse)
    assert compare(marts) == []
    assert len(marts["duckdb"]["fct_conversion"].rows) > 1000


def mart(*rows: tuple[object, ...]) -> Mart:
    return Mart(("key", "name", "at", "rate", "amount"), list(rows))


ROW = (KEY, "a", datetime(2024, 1, 1), 0.1, Decimal("2.50"))


def test_comparison_ignores_order_and_the_last_bits_of_floats() -> None:
    other = (KEY - 1, None, None, None, Decimal("2.5"))
    assert list(differences(mart(ROW, other), mart(other, (*ROW[:3], 0.1 * (1 + 1e-12), ROW[4])))) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ((KEY - 1, *ROW[1:]), "key"),
        ((KEY, "A", *ROW[2:]), "name 'a' | 'A'"),
        ((*ROW[:2], datetime(2024, 1, 1, 0, 0, 0, 1), *ROW[3:]), "at "),
        ((*ROW[:3], 0.1 * (1 + 1e-8), ROW[4]), "rate "),
        ((*ROW[:3], None, ROW[4]), "rate 0.1 | None"),
        ((*ROW[:4], Decimal("2.51")), "amount Decimal('2.50') | Decimal('2.51')"),
    ],
)
def test_comparison_names_the_cell_that_differs(changed: tuple[object, ...], named: str) -> None:
    (line,) = differences(mart(ROW), mart(changed))
    assert named in line


def test_comparison_counts_rows_and_sees_columns_and_marts_that_are_missing() -> None:
    (line,) = differences(mart(ROW, ROW), mart(ROW), ("a", "b"))
    assert line.startswith("only in a: key")
    assert "columns" in next(differences(mart(ROW), Mart(("key",), [(KEY,)])))
    assert compare({"a": {"x": mart(ROW)}, "b": {}}) == ["x: only in a"]
    assert (
        compare({"a": {"x": mart(ROW)}, "b": {"x": mart()}, "c": {"x": mart(ROW)}})[0]
        == "x: 1 differences between a and b"
    )
