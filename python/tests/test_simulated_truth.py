"""The simulator knows the truth: the project must find it, through the real connectors, with and without planted defects."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import GROUND_ONLY, RunDbt
from leadlag.cli import main

AS_OF = "2025-02-10 13:30:00"
MILESTONES = "entered_at, inquiry_at, mql_at, sal_at, sql_at, opportunity_at, won_at, outcome, ended_at"
# The map from the true person to the one that the project found, by the records they own.
FOUND = """
    create or replace temp view found as
    select record.person_id, record.source_system, person.person_key
    from truth.record
    join main_intermediate.int_input__lead_record as accepted using (source_system, record_type, source_id)
    join main_intermediate.int_identity__lead_record_person as person using (lead_record_key)
"""

Company = Callable[..., Path]


@pytest.fixture(scope="module")
def company(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Simulates a company and builds the project on it; returns the warehouse."""

    def build(arguments: Sequence[str], variables: dict[str, Any] | None = None) -> Path:
        path = tmp_path_factory.mktemp("company") / "leadlag.duckdb"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LEADLAG_DUCKDB_PATH", str(path))
            done = main(["simulate", "--quiet", "--profiles-dir", str(profiles_dir), "--target", "duckdb", *arguments])
        assert done == 0
        run_dbt(
            ["build", "--exclude-resource-type", "unit_test", "snapshot", *GROUND_ONLY],
            duckdb_path=path,
            variables=variables,
        )
        return path

    return build


@pytest.fixture(scope="module")
def clean(company: Company) -> Path:
    return company(["--leads", "1500", "--seed", "3", "--defects", "none"])


@pytest.fixture(scope="module")
def faulty(company: Company) -> Path:
    return company(["--leads", "2500", "--seed", "11"])


@pytest.fixture
def query() -> Callable[[Path, str], list[tuple[Any, ...]]]:
    def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute(FOUND)
            return connection.execute(sql).fetchall()

    return ask


Query = Callable[[Path, str], list[tuple[Any, ...]]]


def different_journeys(query: Query, path: Path, which: str = "true") -> list[tuple[Any, ...]]:
    """Journeys of the truth that the project has not, and the reverse."""
    return query(
        path,
        f"""
        with true_journey as (
            select person_id, journey_number, {MILESTONES} from truth.journey where {which}
        ),
        found_journey as (
            select person_id, journey_number, {MILESTONES}
            from main_marts.fct_journey join (select distinct person_key, person_id from found) using (person_key)
            where {which}
        )
        (select 'missing', * from (from true_journey except all from found_journey))
        union all
        (select 'invented', * from (from found_journey except all from true_journey))
        order by 2, 3, 1 limit 10
        """,
    )


def test_without_defects_journeys_and_milestones_equal_the_truth(clean: Path, query: Query) -> None:
    assert query(clean, "select count(*) > 1500 from truth.journey") == [(True,)]
    assert different_journeys(query, clean) == []
    assert query(clean, "select count(*) from main_marts.status_discrepancy") == [(0,)]
    assert query(clean, "select count(*) from main_marts.quarantine") == [(0,)]


def test_with_defects_untouched_people_keep_their_true_journeys(faulty: Path, query: Query) -> None:
    untouched = "person_id not in (select person_id from truth.defect where person_id is not null)"
    assert query(faulty, f"select count(*) > 1500 from truth.person where {untouched}") == [(True,)]
    assert different_journeys(query, faulty, untouched) == []


def test_people_are_matched_with_precision_and_recall(faulty: Path, query: Query) -> None:
    """Pairs of records: of those joined how many belong together, of those that belong together how many are joined."""
    ((precision, recall, pairs),) = query(
        faulty,
        """
        with cell as (select count(*) as n from found group by person_id, person_key),
        true_person as (select count(*) as n from found group by person_id),
        found_person as (select count(*) as n from found group by person_key)
        select
            (select sum(n * (n - 1)) from cell) / (select sum(n * (n - 1)) from found_person),
            (select sum(n * (n - 1)) from cell) / (select sum(n * (n - 1)) from true_person),
            (select sum(n * (n - 1)) / 2 from true_person)
        """,
    )
    assert pairs > 1000
    assert precision >= 0.99 and recall >= 0.99


def test_every_planted_row_defect_is_quarantined_under_its_rule(faulty: Path, query: Query) -> None:
    """Each class is found and counted: at least one quarantined row for every planted one, and no class but the planted."""
    planted = dict(
        query(
            faulty,
            """
            select expected, count(*) from truth.defect
            where expected in (select quarantine_rule from main_policy.quarantine_rule) group by 1
            """,
        )
    )
    found = dict(query(faulty, "select quarantine_rule, count(*) from main_marts.quarantine group by 1"))
    assert set(planted) == set(found) and len(planted) >= 8
    for rule, count in planted.items():
        assert found[rule] >= count, rule
    # Rows that name themselves are found one by one.
    assert (
        query(
            faulty,
            """
        select defect.expected, defect.source_table, defect.source_id
        from truth.defect
        where defect.expected in (select quarantine_rule from main_policy.quarantine_rule)
        and defect.expected not in ('missing_key', 'orphan_reference')
        and not exists (
            select 1 from main_marts.quarantine
            where quarantine.quarantine_rule = defect.expected
            and quarantine.source_id like '%' || left(defect.source_id, 200) || '%'
        )
        """,
        )
        == []
    )


def test_every_planted_conflict_is_a_discrepancy_of_that_person(faulty: Path, query: Query) -> None:
    assert query(
        faulty,
        """
        select count(*) > 0, count(*) = count(discrepancy.person_key)
        from (
            select distinct found.person_key
            from truth.defect join found using (person_id) where defect.expected = 'status_discrepancy'
        ) as planted
        left join (select distinct person_key from main_marts.status_discrepancy) as discrepancy using (person_key)
        """,
    ) == [(True, True)]


@pytest.mark.parametrize(
    ("defect_class", "sign"),
    [
        ("backward_stage", "select person_key from main_marts.fct_stage_event where movement = 'backward'"),
        (
            "skipped_stage",
            "select person_key from main_marts.fct_journey where sql_at is not null and sal_at is null",
        ),
        ("conversion_before_entry", "select person_key from main_marts.fct_conversion where is_converted_before_entry"),
        (
            "late_arrival",
            """select person_key from main_marts.fct_touchpoint where recorded_at > occurred_at + interval 1 day
            union select person_key from main_marts.fct_stage_event where recorded_at > occurred_at + interval 1 day
            union select email.person_key
            from main_intermediate.int_input__product_event as used
            join main_intermediate.int_identity__email_person as email using (email_key)
            where used.recorded_at > used.occurred_at + interval 1 day""",
        ),
    ],
)
def test_every_planted_flaw_shows_in_the_marts(faulty: Path, query: Query, defect_class: str, sign: str) -> None:
    planted, found = query(
        faulty,
        f"""
        select count(distinct person_id), count(distinct person_id) filter (person_key in ({sign}))
        from truth.defect join found using (person_id) where defect_class = '{defect_class}'
        """,
    )[0]
    assert planted > 0
    assert found == planted


def test_personal_data_stay_in_the_restricted_dimension(faulty: Path) -> None:
    """No address, name of a person or phone in any table but dim_person_contact; staging is views."""
    with duckdb.connect(str(faulty), read_only=True) as connection:
        columns = connection.execute(
            """
            select table_schema, table_name, column_name
            from information_schema.columns join information_schema.tables using (table_schema, table_name)
            where table_schema in ('main_marts', 'main_intermediate', 'main_snapshots') and table_type = 'BASE TABLE'
            and data_type = 'VARCHAR' and table_name <> 'dim_person_contact'
            -- A seller's name is no personal data of a lead, and a simulated lead may have the same.
            and (table_name, column_name) not in (('dim_rep', 'rep_name'), ('int_input__rep_checked', 'full_name'))
            """
        ).fetchall()
        assert len(columns) > 100
        leaks = [
            (table, column)
            for schema, table, column in columns
            if connection.execute(
                f"""select exists (select 1 from {schema}.{table} where {column} like '%_@_%._%')
                or exists (
                    select 1 from {schema}.{table} as t join truth.person on lower(t.{column}) = lower(person.full_name)
                )"""
            ).fetchone()
            != (False,)
        ]
        assert leaks == []
        assert connection.execute(
            "select count(*) > 1000 from main_marts.dim_person_contact where email like '%@%'"
        ).fetchone() == (True,)


def test_returns_before_the_gap_reopen_and_later_ones_begin_anew(faulty: Path, query: Query) -> None:
    """Both kinds occur, and each return has the number of journeys that it must have."""
    assert query(
        faulty,
        """
        select starts_journey, count(*) > 10, count(*) = count(journey.journey_key)
        from truth.reentry
        left join (
            select person_id, journey_key, entered_at
            from main_marts.fct_journey join (select distinct person_key, person_id from found) using (person_key)
        ) as journey on reentry.person_id = journey.person_id and reentry.returned_at = journey.entered_at
        group by 1 order by 1
        """,
    ) == [(False, True, False), (True, True, True)]


@pytest.mark.long
def test_as_of_all_data_equals_the_data_recorded_by_then(company: Company) -> None:
    """Whole companies through the connectors, mart for mart and row for row.

    Columns that a source rewrites without a history show the present, as their descriptions say: close_date, and the
    amount of HubSpot deals.
    """
    present = """* exclude (close_date) replace (
        case when source_system <> 'hubspot' then amount end as amount,
        case when source_system <> 'hubspot' then amount_base end as amount_base
    )"""
    arguments = ["--leads", "1200", "--seed", "5"]
    everything = company(arguments, {"as_of": AS_OF})
    recorded = company([*arguments, "--until", AS_OF], {"as_of": AS_OF})
    with duckdb.connect(str(everything), read_only=True) as connection:
        connection.execute(f"attach '{recorded}' as earlier (read_only)")
        marts = [
            name
            for (name,) in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'main_marts' "
                "and table_catalog = 'leadlag' order by 1"
            ).fetchall()
        ]
        assert {"fct_journey", "fct_conversion", "fct_touchpoint", "conversion_rate"} <= set(marts)
        for mart in marts:
            columns = present if mart == "fct_opportunity" else "*"
            # Ids of Salesforce on a HubSpot contact have no history either: its links are counted as they are now.
            rows = "entity <> 'identity_link' or source_table <> 'contact'" if mart.startswith("source_") else "true"
            one, other = (
                f"select {columns} from {catalog}.main_marts.{mart} where {rows}" for catalog in ("leadlag", "earlier")
            )
            (difference,) = connection.execute(
                f"select (select count(*) from ({one} except all {other})) + (select count(*) from ({other} except all {one}))"
            ).fetchone() or (None,)
            assert difference == 0, mart
        assert connection.execute("select count(*) > 0 from leadlag.main_marts.fct_conversion").fetchone() == (True,)
