"""The closed loop: campaign outcomes, offline conversions and their export, source reviews, and vendor trials against exact answers."""

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from conftest import DbtRun, RunDbt
from contract_build import SHIPPED_POLICIES, ContractBuild, Warehouse, load_raw
from leadlag import cli
from leadlag.export import command, formats
from leadlag.export.plan import RETRACT, Conversion, Entry
from scipy.stats import norm

Row = dict[str, Any]
Tables = dict[str, list[Row]]

AS_OF = datetime(2024, 11, 10)
# The autumn night in Berlin: 00:30 and 01:30 UTC are both half past two.
FIRST_HALF_PAST_TWO, SECOND_HALF_PAST_TWO = datetime(2024, 10, 27, 0, 30), datetime(2024, 10, 27, 1, 30)
NAME = "Qualifizierter Lead, „Ångström“"

TRIALS, PLANNED, LOW, HIGH, ALPHA, BETA = 240, 60, Fraction(1, 10), Fraction(35, 100), Fraction(1, 20), Fraction(1, 10)
TRIAL_START = datetime(2024, 8, 1)


def event(entity: str, source_id: str, when: datetime, **columns: Any) -> Row:
    return {
        "source_system": "salesforce",
        "source_table": entity,
        "source_id": source_id,
        "occurred_at": when,
        "occurred_at_raw": when.isoformat(),
        "recorded_at": when,
        **columns,
    }


class Company:
    """Rows of the input contract, a few words a person."""

    def __init__(self) -> None:
        self.tables: Tables = {}

    def add(self, entity: str, *rows: Row) -> None:
        self.tables.setdefault(entity, []).extend(rows)

    def lead(self, name: str, entered: datetime, mql: datetime | None = None, **columns: Any) -> None:
        record = {"record_type": "lead", "email": f"{name}@acme.io", **columns}
        self.add("lead_record", event("lead", name, entered, **record))
        self.status(name, "Open", entered)
        if mql is not None:
            self.status(name, "Marketing Qualified", mql)

    def status(self, name: str, status: str, when: datetime) -> None:
        row = {"record_type": "lead", "record_source_id": name, "status_field": "status", "status_raw": status}
        self.add("status_event", event("lead_history", f"{name}-{status}", when, **row))

    def touch(self, name: str, when: datetime, **columns: Any) -> None:
        number = len(self.tables.get("touchpoint", []))
        row = {"record_type": "lead", "record_source_id": name, "touchpoint_type": "web", **columns}
        self.add("touchpoint", event("page_view", f"T{number}", when, **row))

    def click(self, name: str, when: datetime, click_id: str | None = None) -> None:
        self.touch(name, when, click_id=click_id or f"click-{name}", click_id_type="gclid")

    def win(self, name: str, when: datetime, amount: int, currency: str) -> None:
        deal = {"record_type": "lead", "record_source_id": name, "amount": amount, "currency_code": currency}
        self.add("opportunity", event("opportunity", f"O-{name}", when, **deal))
        for stage, closed, hours in (("Proposal", False, 0), ("Closed Won", True, 24)):
            step = {"opportunity_source_id": f"O-{name}", "stage_raw": stage, "is_closed": closed, "is_won": closed}
            moment = when + timedelta(hours=hours)
            self.add(
                "opportunity_stage_event",
                event("history", f"{name}-{stage}", moment, amount=amount, currency_code=currency, **step),
            )


def exported_persons(company: Company) -> None:
    """Persons whose conversions may, or may not, be told."""
    day = datetime(2024, 10, 20)
    hour = timedelta(hours=1)
    late = datetime(2024, 10, 28)
    for name, mql in (("first", FIRST_HALF_PAST_TWO), ("second", SECOND_HALF_PAST_TWO)):
        company.lead(name, day, mql, ad_consent="Granted ")
        company.click(name, day + hour)
    company.lead("torn", day, late, ad_consent="granted")
    company.lead("torn2", day, email="torn@acme.io", ad_consent="no")
    company.lead("silent", day, late)
    company.lead("mumbling", day, late, ad_consent="perhaps")
    company.lead("unclicked", day, late, ad_consent="granted")
    company.lead("too-late", day, late, ad_consent="granted")
    company.lead("strange", day, late, ad_consent="granted")
    company.lead("long-ago", datetime(2024, 7, 1), late, ad_consent="granted")
    company.lead("old", datetime(2024, 7, 1), AS_OF - timedelta(days=90, seconds=1), ad_consent="granted")
    for name in ("torn", "silent", "mumbling"):
        company.click(name, day + hour)
    company.click("too-late", late + hour)
    company.click("strange", day + hour, "=HYPERLINK(1)")
    company.click("long-ago", late - timedelta(days=90, seconds=1))
    company.click("old", datetime(2024, 7, 2))
    for name, currency in (("dollars", "USD"), ("doubloons", "XXX")):
        company.lead(name, day, ad_consent="granted")
        # The last click before the milestone counts.
        company.click(name, day + hour, f"earlier-{name}")
        company.click(name, day + 2 * hour)
        company.win(name, day + timedelta(days=2), 1000, currency)


def campaigns(company: Company) -> None:
    day = datetime(2024, 9, 1)
    for source_id, name in (("A", "Data Day"), ("B", "Webinar"), ("C", "Nobody came"), ("D", "Twin"), ("E", "twin")):
        company.add("campaign", event("campaign", source_id, day, campaign_name=name))
    ads = {"source_system": "ads", "campaign_name": "brand_search"}
    company.add(
        "campaign",
        event("campaign", "google_ads:1", day, **ads),
        event("campaign", "google_ads:2", day, source_system="ads", campaign_name="dollars"),
        event("campaign", "F", day, campaign_name="Brand Search"),
    )
    for number, (campaign, amount, currency) in enumerate(
        (
            *(("google_ads:1", 100, "USD"), ("google_ads:1", 8, "eur"), ("google_ads:1", 7, "XXX")),
            *(("google_ads:2", 50, "USD"), ("google_ads:2", 1, "USD"), ("google_ads:9", 30, "EUR"), (None, 5, "EUR")),
        )
    ):
        spend = {"campaign_source_id": campaign, "amount": amount, "currency_code": currency, "spend_date": day.date()}
        company.add("spend", event("spend", f"S{number}", day, source_system="ads", platform="google_ads", **spend))
    company.lead("member", day, day + timedelta(days=4))
    for days, columns in (
        (1, {"campaign_source_id": "A"}),
        (2, {"campaign_source_id": "A"}),
        (3, {"utm_campaign": "Brand-Search"}),
        # After the milestone: a touch, but not what led to it.
        (5, {"campaign_source_id": "B"}),
        (6, {"utm_campaign": "twin"}),
    ):
        company.touch("member", day + timedelta(days=days), **columns)


def trial_outcomes() -> np.ndarray[Any, Any]:
    """Whether each lead of each trial converts: the first half of the trials at the minimum, the second at the target."""
    rng = np.random.default_rng(20240801)
    rate = np.where(np.arange(TRIALS) < TRIALS // 2, float(LOW), float(HIGH))
    return np.asarray(rng.random((TRIALS, PLANNED)) < rate[:, None])


def vendor(number: int) -> str:
    return f"vendor {number:03d}"


def vendors(company: Company, outcomes: np.ndarray[Any, Any]) -> None:
    for number in range(TRIALS):
        # Every tenth trial began so late that only its first leads are mature.
        start = TRIAL_START + timedelta(days=45 if number % 10 == 0 else 0)
        for lead in range(PLANNED):
            entered = start + timedelta(days=lead, minutes=number)
            mql = entered + timedelta(days=2) if outcomes[number, lead] else None
            company.lead(f"v{number}-{lead}", entered, mql, lead_source=vendor(number).title())
    for lead in range(40):
        when = TRIAL_START + timedelta(days=lead)
        # Of the first vendor's records every second is of the same person, of the second's every second has no time.
        company.lead(f"d{lead}", when, lead_source="Copies", email=f"d{lead if lead % 2 else 0}@acme.io")
        company.lead(f"i{lead}", when, lead_source="Wrecks")
        if lead % 2:
            company.tables["lead_record"][-1].update(occurred_at=None, occurred_at_raw="31/31", recorded_at=when)


POLICIES: dict[str, Sequence[Row]] = {
    "lead_vendor": [
        {
            "vendor": name,
            "match_type": "lead_source_label",
            "match_value": name,
            "cost_per_lead": 2,
            "currency_code": "USD",
            "owner": "",
        }
        for name in [*map(vendor, range(TRIALS)), "copies", "wrecks"]
    ],
    "vendor_trial": [
        {
            "trial": f"trial {name}",
            "vendor": name,
            "conversion_definition": "inquiry_to_mql_30d",
            "start_date": TRIAL_START.date(),
            "planned_leads": PLANNED,
            "minimum_conversion": float(LOW),
            "target_conversion": float(HIGH),
            "alpha": float(ALPHA),
            "beta": float(BETA),
            "maximum_duplicate_share": 0.1,
            "maximum_invalid_share": 0.1,
            "owner": "",
        }
        for name in [*map(vendor, range(TRIALS)), "copies", "wrecks"]
    ],
    "conversion_export": [
        {
            "platform": "google_ads",
            "milestone": milestone,
            "conversion_name": name,
            "click_id_type": "gclid",
            "value_rule": rule,
            "fixed_value": "",
            "click_lookback_days": 90,
            "upload_days": 90,
            "consent_rule": "granted",
            "owner": "",
        }
        for milestone, name, rule in (("mql", NAME, "none"), ("won", "Won", "won_amount"))
    ],
    "source_review_rule": [
        {
            "review": "half_year",
            "early_definition": "inquiry_to_mql_30d",
            "late_definition": "mql_to_opportunity_90d",
            "window_days": 200,
            "minimum_entries": 30,
            "error_probability": 0.05,
            "maximum_duplicate_share": 0.2,
            "maximum_invalid_share": 0.2,
            "maximum_cost_per_late": "",
            "owner": "",
        }
    ],
}
MARTS = (
    "campaign_outcome",
    "offline_conversion_summary",
    "offline_conversion",
    "lead_source_review",
    "vendor_trial_result",
)


def write_rules(project: ContractBuild, rules: dict[str, Sequence[Row]]) -> None:
    folder = project.project_dir / "seeds" / "closed_loop"
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in rules.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture(scope="module")
def outcomes() -> np.ndarray[Any, Any]:
    return trial_outcomes()


@pytest.fixture(scope="module")
def project(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> ContractBuild:
    project = ContractBuild(run_dbt, tmp_path_factory.mktemp("closed_loop"))
    write_rules(project, POLICIES)
    return project


@pytest.fixture(scope="module")
def dbt(run_dbt: RunDbt, project: ContractBuild) -> Callable[..., DbtRun]:
    """Builds what is selected with the rules of this module."""

    def run(path: Path, *select: str, **options: Any) -> DbtRun:
        where = {"duckdb_path": path, "project_dir": project.project_dir}
        variables = {"own_closed_loop": True, "as_of": str(AS_OF), "business_timezone": "Europe/Berlin"}
        words = ["build", "--exclude-resource-type", "test", "unit_test", "snapshot", "--select", *select]
        return run_dbt(words, variables=variables, **where, **options)

    return run


@pytest.fixture(scope="module")
def built(
    dbt: Callable[..., DbtRun], outcomes: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """One build for all tests of this module."""
    company = Company()
    exported_persons(company)
    campaigns(company)
    vendors(company, outcomes)
    path = tmp_path_factory.mktemp("built") / "leadlag.duckdb"
    load_raw(path, company.tables)
    dbt(path, *(f"+{mart}" for mart in MARTS))
    return Warehouse(path)


def by(rows: list[Row], *columns: str) -> dict[Any, Row]:
    return {tuple(row[name] for name in columns) if len(columns) > 1 else row[columns[0]]: row for row in rows}


# Campaigns


def test_a_stage_counts_for_the_campaigns_that_touched_before_it(built: Warehouse) -> None:
    found = by(built.read("campaign_outcome"), "source_id")
    seen = {
        source_id: tuple(
            row[name] for name in ("touches", "persons", "any_journeys", "first_journeys", "any_mql", "first_mql")
        )
        for source_id, row in found.items()
    }
    assert seen == {
        "A": (2, 1, 1, 1, 1, 1),
        "B": (1, 1, 1, 0, 0, 0),
        "C": (0, 0, 0, 0, 0, 0),
        "D": (0, 0, 0, 0, 0, 0),
        "E": (0, 0, 0, 0, 0, 0),
        "F": (0, 0, 0, 0, 0, 0),
        "google_ads:1": (1, 1, 1, 0, 1, 0),
        "google_ads:2": (0, 0, 0, 0, 0, 0),
        "google_ads:9": (0, 0, 0, 0, 0, 0),
        "(no campaign)": (0, 0, 0, 0, 0, 0),
    }
    assert found["A"]["median_days_to_mql"] == 3.0
    assert [found[name]["is_known"] for name in ("A", "google_ads:9", "(no campaign)")] == [True, False, False]


def test_spend_is_joined_once_and_none_is_lost(built: Warehouse) -> None:
    found = by(built.read("campaign_outcome"), "source_id")
    spend = {
        source_id: (row["ad_spend_base"], row["spend_link"]) for source_id, row in found.items() if row["spend_link"]
    }
    assert spend == {
        "google_ads:1": (Decimal("100.00"), "own"),
        "google_ads:2": (Decimal("46.92"), "own"),
        "F": (Decimal("100.00"), "name"),
        "google_ads:9": (Decimal("30.00"), "own"),
        "(no campaign)": (Decimal("5.00"), "own"),
    }
    assert found["google_ads:1"]["spend_days_without_rate"] == 1


def test_spend_of_a_campaign_is_in_its_currency_or_in_the_base_currency(built: Warehouse) -> None:
    found = by(built.read("dim_campaign"), "source_id")
    names = ("ad_spend", "ad_spend_currency_code", "ad_spend_base", "unconverted_spend_rows")
    seen = {
        source_id: tuple(found[source_id][name] for name in names)
        for source_id in ("google_ads:1", "google_ads:2", "A")
    }
    assert seen == {
        # Dollars, euros, and a currency without a rate: never added as they stand.
        "google_ads:1": (Decimal(100), "EUR", Decimal(100), 1),
        "google_ads:2": (Decimal(51), "USD", Decimal("46.92"), 0),
        "A": (None, None, None, None),
    }


# What may be told


def test_only_consented_conversions_with_a_recent_click_are_told(built: Warehouse) -> None:
    summary = built.read("offline_conversion_summary")
    counts = {(row["milestone"], row["export_state"]): row["conversions"] for row in summary if "vendor" not in row}
    without_click = counts.pop(("mql", "no_click_id"))
    assert counts == {
        ("mql", "exportable"): 3,
        ("mql", "consent_denied"): 1,
        ("mql", "consent_not_recorded"): 1,
        ("mql", "consent_unmapped"): 1,
        ("mql", "click_too_old"): 1,
        ("mql", "conversion_too_old"): 1,
        ("won", "exportable"): 1,
        ("won", "value_unknown"): 1,
    }
    journeys = built.rows("select count(*) as n from main_marts.fct_journey where mql_at is not null")
    assert without_click == journeys[0]["n"] - 8


GOOGLE = "Parameters:TimeZone=Europe/Berlin\nGoogle Click ID,Conversion Name,Conversion Time,Conversion Value,Conversion Currency\n"


@pytest.fixture
def company_file(built: Warehouse, tmp_path: Path) -> Path:
    return Path(shutil.copy(built.path, tmp_path / "leadlag.duckdb"))


@pytest.fixture
def export(
    company_file: Path,
    profiles_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """Runs `leadlag export-conversions` on a copy of the build: exit code and everything it said."""
    monkeypatch.setenv("LEADLAG_DUCKDB_PATH", str(company_file))
    monkeypatch.setenv("LEADLAG_TARGET", "duckdb")

    def run(*words: str, platform: str = "google_ads", folder: str = "out") -> tuple[int, str]:
        arguments = ["--platform", platform, "--output", str(tmp_path / folder), "--profiles-dir", str(profiles_dir)]
        code = cli.main(["export-conversions", *arguments, *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def change(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def texts(folder: Path) -> dict[str, str]:
    """Ending of the names of all files -> text, in the order of exports."""
    return {path.name: path.read_bytes().decode("utf-8") for path in sorted(folder.iterdir())}


def test_times_values_and_names_are_what_google_reads(export: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, said = export()
    assert code == 0 and "3 conversions, 0 restated, 0 withdrawn" in said
    assert "its click id has characters that no platform writes" in said
    ((name, text),) = texts(tmp_path / "out").items()
    assert name.startswith("google_ads_00001_") and name.endswith("_conversions.csv")
    quoted = '"' + NAME + '"'
    assert text.startswith(GOOGLE)
    assert sorted(text.removeprefix(GOOGLE).splitlines()) == [
        "click-dollars,Won,2024-10-23 02:00:00+0200,920.00,EUR",
        f"click-first,{quoted},2024-10-27 02:30:00+0200,,",
        f"click-second,{quoted},2024-10-27 02:30:00+0100,,",
    ]
    assert (tmp_path / "out" / name).stat().st_mode & 0o077 == 0


def test_an_export_says_nothing_twice(export: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    export()
    before = texts(tmp_path / "out")
    assert export() == (0, export()[1]) and "nothing new to tell" in export()[1]
    assert texts(tmp_path / "out") == before
    # Once more on purpose, elsewhere: the same names and bytes.
    (name,) = before
    code, said = export("--again", name.split("_")[3], folder="again")
    assert code == 0 and "written again" in said
    assert texts(tmp_path / "again") == before
    assert export("--again", "nonsense")[0] == 1


@pytest.mark.parametrize("moment", ["before_files", "between_file_and_ledger"])
def test_a_killed_export_is_completed_and_not_repeated(
    export: Callable[..., tuple[int, str]],
    company_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """Killed, then the marts change before the next call: the first export is completed as it was, the rest is a second one."""

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if moment == "before_files":
            patch.setattr(command, "write_files", die)
        else:
            patch.setattr("leadlag.export.ledger.Ledger.mark_written", die)
        with pytest.raises(Killed):
            export()
    written = texts(tmp_path / "out") if (tmp_path / "out").exists() else {}
    assert len(written) == (moment == "between_file_and_ledger")
    change(company_file, "update main_marts.offline_conversion set click_id = 'mended' where click_id like '=%'")
    code, said = export()
    assert code == 0 and "completed: 3 conversions" in said and "written: 1 conversions" in said
    after = texts(tmp_path / "out")
    assert written.items() <= after.items() and len(after) == 2
    rows = [line for text in after.values() for line in text.removeprefix(GOOGLE).splitlines()]
    assert len(rows) == len(set(rows)) == 4


def test_what_changes_later_is_restated_or_retracted(
    export: Callable[..., tuple[int, str]], company_file: Path, tmp_path: Path
) -> None:
    export()
    row = "update main_marts.offline_conversion set "
    change(
        company_file,
        row + "conversion_value = 1000.5 where click_id = 'click-dollars'",
        row + "exclusion = 'consent_denied', is_exportable = false where click_id = 'click-first'",
        # Age alone takes nothing back.
        row + "exclusion = 'conversion_too_old', is_exportable = false where click_id = 'click-second'",
    )
    code, said = export()
    assert code == 0 and "0 conversions, 1 restated, 1 withdrawn" in said
    (text,) = (text for name, text in texts(tmp_path / "out").items() if name.endswith("adjustments.csv"))
    head, columns, *lines = text.splitlines()
    assert head == "Parameters:TimeZone=Europe/Berlin"
    assert columns == (
        "Google Click ID,Conversion Name,Conversion Time,Adjustment Time,Adjustment Type,Adjusted Value,Adjusted Value Currency"
    )
    now = "2024-11-10 01:00:00+0100"
    assert sorted(lines) == [
        f"click-dollars,Won,2024-10-23 02:00:00+0200,{now},RESTATE,1000.50,EUR",
        f'click-first,"{NAME}",2024-10-27 02:30:00+0200,{now},RETRACT,,',
    ]
    # Consent given again: a platform ignores what was retracted, so it is said and not sent.
    change(company_file, row + "exclusion = null, is_exportable = true where click_id = 'click-first'")
    code, said = export()
    assert code == 0 and "nothing new to tell" in said and "was withdrawn before" in said
    # A rule that goes takes nothing back either.
    change(
        company_file,
        "delete from main_marts.offline_conversion where milestone = 'won'",
        "delete from main_marts.offline_conversion_summary where milestone = 'won'",
    )
    assert "nothing new to tell" in export()[1]


def test_marts_that_look_wrong_are_not_believed(export: Callable[..., tuple[int, str]], company_file: Path) -> None:
    mart = "main_marts.offline_conversion"
    copies = "select offline_conversion_key + n, * exclude (offline_conversion_key, n) from {} cross join range(1, 20) as many (n)"
    change(company_file, f"insert into {mart} {copies.format(mart)} where click_id = 'click-first'")
    export()
    change(company_file, "create table kept as select * from " + mart, f"delete from {mart}")
    code, said = export()
    assert code == 1 and "22 of 22 conversions" in said and "--allow-withdrawals" in said
    change(
        company_file,
        f"insert into {mart} select * from kept",
        "update main_marts.offline_conversion_summary set as_of = '2024-01-01'",
    )
    code, said = export()
    assert code == 1 and "before the last export" in said
    change(company_file, f"drop table {mart}")
    assert export() == (
        1,
        "leadlag export-conversions: there is no main_marts.offline_conversion; run `dbt build` first\n",
    )


def test_a_platform_without_rows_or_rules_gets_no_file(
    export: Callable[..., tuple[int, str]], company_file: Path, tmp_path: Path
) -> None:
    code, said = export(platform="meta_ads")
    assert code == 1 and "no row for meta_ads" in said
    change(company_file, "delete from main_marts.offline_conversion")
    assert export() == (0, "google_ads: nothing new to tell\n")
    assert not (tmp_path / "out").exists()


SENT = Conversion(
    7,
    "won",
    "urn:lla:llaPartnerConversion:5",
    "Ab_1",
    datetime(2024, 3, 1),
    FIRST_HALF_PAST_TWO,
    Decimal("12.5"),
    "EUR",
)


@pytest.mark.parametrize("platform", ["microsoft_ads", "linkedin_ads", "meta_ads"])
def test_each_platform_is_told_in_its_own_format(platform: str) -> None:
    entries = [Entry("send", SENT), Entry(RETRACT, SENT, "consent_denied")]
    files = formats.render(platform, entries, AS_OF, "Europe/Berlin")
    if platform == "microsoft_ads":
        head = "Microsoft Click ID,Conversion Name,Conversion Time,Conversion Value,Conversion Currency"
        row = f"Ab_1,{SENT.name},2024-10-27 02:30:00+0200,12.50,EUR"
        assert files["conversions.csv"] == f"Parameters:TimeZone=Europe/Berlin\n{head}\n{row}\n"
        (line,) = list(csv.DictReader(files["adjustments.csv"].splitlines()))[1:]
        told = ("Microsoft Click Id", "Conversion Time", "Adjustment Type", "Adjustment Time", "Adjustment Value")
        assert [line[name] for name in told] == [
            "Ab_1",
            "10/27/2024 12:30:00 AM",
            "Retract",
            "11/10/2024 12:00:00 AM",
            "",
        ]
        return
    (listed,) = csv.DictReader(files["by_hand.csv"].splitlines())
    assert listed["reason"] == "consent_denied"
    assert "Ab_1" not in files["by_hand.csv"]
    body = json.loads(files["events.jsonl"])
    if platform == "linkedin_ads":
        assert body["elements"] == [
            {
                "conversion": SENT.name,
                "conversionHappenedAt": 1729989000000,
                "conversionValue": {"currencyCode": "EUR", "amount": "12.50"},
                "eventId": "7",
                "user": {"userIds": [{"idType": "LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", "idValue": "Ab_1"}]},
            }
        ]
    else:
        (event_,) = body["data"]
        assert (event_["event_time"], event_["event_id"], event_["action_source"]) == (
            1729989000,
            "7",
            "system_generated",
        )
        assert event_["user_data"] == {"fbc": "fb.1.1709251200000.Ab_1"}
        assert (event_["custom_data"]["value"], event_["custom_data"]["currency"]) == (12.5, "EUR")


def test_batches_are_no_longer_than_a_platform_takes() -> None:
    lines = formats.render("meta_ads", [Entry("send", SENT)] * 1001, AS_OF, "UTC")["events.jsonl"].splitlines()
    assert [len(json.loads(line)["data"]) for line in lines] == [1000, 1]


# Sources


def test_sources_are_judged_beyond_the_noise_only(built: Warehouse) -> None:
    """Verdicts from the counts, by another way of computing."""
    rows = built.read("lead_source_review")
    verdicts = set()
    for unit_type in ("lead_source", "vendor"):
        units = [row for row in rows if row["unit_type"] == unit_type]
        entries = sum(row["early_entries"] for row in rows if row["unit_type"] == "lead_source")
        conversions = sum(row["early_conversions"] for row in rows if row["unit_type"] == "lead_source")
        critical = norm.isf(0.05 / 2 / sum(row["early_entries"] >= 30 for row in units))
        for row in units:
            n, x = row["early_entries"], row["early_conversions"]
            pooled = conversions / entries
            other = (conversions - x) / (entries - n)
            z = (x / n - other) / (pooled * (1 - pooled) * (1 / n + 1 / (entries - n))) ** 0.5 if n else None
            assert row["critical_z"] == pytest.approx(critical, abs=5e-4)
            assert z is None or row["early_z"] == pytest.approx(z, rel=1e-9)
            below = n >= 30 and z is not None and z < -critical
            flawed = row["unit"] in ("copies", "wrecks")
            expected = "too_few" if n < 30 else "requalify" if below or flawed else "too_few"
            assert row["verdict"] == expected, row
            verdicts.add((row["verdict"], row["reason"]))
    assert {reason for verdict, reason in verdicts if verdict == "requalify"} >= {"early_conversion_below_rest"}
    copies = by(rows, "unit_type", "unit")["vendor", "copies"]
    assert (copies["records_delivered"], copies["records_duplicate"], copies["cost_base"]) == (
        40,
        19,
        pytest.approx(40 * 2 * 0.92),
    )


# Vendor trials


def decide(converted: Sequence[bool]) -> tuple[str, int | None]:
    """Wald's test in exact arithmetic: what it says of a trial's mature leads, and at which."""
    ratio = Fraction(1)
    for number, one in enumerate(converted[:PLANNED], 1):
        ratio *= HIGH / LOW if one else (1 - HIGH) / (1 - LOW)
        if ratio >= (1 - BETA) / ALPHA:
            return "pass", number
        if ratio <= BETA / (1 - ALPHA):
            return "fail", number
    return ("fail", PLANNED) if len(converted) >= PLANNED else ("go_on", None)


def exact_pass_probability(rate: float) -> float:
    """Chance of a pass of a whole trial, over all paths."""
    reached, passed = {0: 1.0}, 0.0
    for number in range(1, PLANNED + 1):
        following: dict[int, float] = {}
        for conversions, chance in reached.items():
            for one in (0, 1):
                now = conversions + one
                ratio = (HIGH / LOW) ** now * ((1 - HIGH) / (1 - LOW)) ** (number - now)
                weight = chance * (rate if one else 1 - rate)
                if ratio >= (1 - BETA) / ALPHA:
                    passed += weight
                elif ratio > BETA / (1 - ALPHA):
                    following[now] = following.get(now, 0.0) + weight
        reached = following
    return passed


def test_trials_are_decided_as_exact_arithmetic_decides_them(built: Warehouse, outcomes: np.ndarray[Any, Any]) -> None:
    found = by(built.read("vendor_trial_result"), "vendor")
    results = []
    for number in range(TRIALS):
        row = found[vendor(number)]
        mature = row["leads_mature"]
        # 30 days back from the clock, on the trial's own calendar of one lead a day.
        start = TRIAL_START + timedelta(days=45 if number % 10 == 0 else 0, minutes=number)
        assert mature == min(PLANNED, (AS_OF - timedelta(days=30) - start) // timedelta(days=1) + 1)
        assert row["leads_pending"] == min(PLANNED, (AS_OF - start) // timedelta(days=1) + 1) - mature
        expected = decide(outcomes[number, :mature].tolist())
        assert (row["result"], row["decided_at_lead"]) == expected, row
        results.append(expected[0])
    assert set(results) == {"pass", "fail", "go_on"}
    whole = [number for number in range(TRIALS) if number % 10]
    for half, rate in ((range(TRIALS // 2), LOW), (range(TRIALS // 2, TRIALS), HIGH)):
        trials = [number for number in whole if number in half]
        chance = exact_pass_probability(float(rate))
        passed = sum(results[number] == "pass" for number in trials)
        assert abs(passed - len(trials) * chance) < 4 * (len(trials) * chance * (1 - chance)) ** 0.5
    assert exact_pass_probability(float(LOW)) <= float(ALPHA)
    assert exact_pass_probability(float(HIGH)) >= 1 - float(BETA)


def test_boundaries_of_a_trial_are_exact(built: Warehouse) -> None:
    for row in built.read("vendor_trial_result"):
        n = row["leads_mature"]
        ratios = [(HIGH / LOW) ** x * ((1 - HIGH) / (1 - LOW)) ** (n - x) for x in range(-10, 2 * n + 10)]
        assert row["pass_conversions"] == next(x - 10 for x, ratio in enumerate(ratios) if ratio >= (1 - BETA) / ALPHA)
        assert row["fail_conversions"] == max(x - 10 for x, ratio in enumerate(ratios) if ratio <= BETA / (1 - ALPHA))
        assert row["fixed_size_leads"] == 20


def test_duplicates_and_invalid_records_end_a_trial(built: Warehouse) -> None:
    found = by(built.read("vendor_trial_result"), "vendor")
    copies, wrecks = found["copies"], found["wrecks"]
    # Every second record: the likelihood ratio of 20 % to 10 % reaches 20 at the first n with 2 ** x (8 / 9) ** (n - x) >= 20.
    at = next(n for n in range(1, 40) if 2.0 ** (n // 2) * (8 / 9) ** (n - n // 2) >= 20)
    assert (wrecks["result"], wrecks["reason"]) == ("fail", "too_many_invalid")
    assert wrecks["decided_at"] == TRIAL_START + timedelta(days=at - 1)
    assert copies["result"] == "fail" and copies["duplicate_alarm_at"] is not None


# Rules


def test_rules_that_cannot_work_stop_the_run(
    dbt: Callable[..., DbtRun], project: ContractBuild, warehouse: Path
) -> None:
    export_rule, trial = POLICIES["conversion_export"][0], POLICIES["vendor_trial"][0]
    bad = {
        "conversion_export": [
            {**export_rule, "click_id_type": "fbclid"},
            {**export_rule, "platform": "linkedin_ads", "click_id_type": "li_fat_id"},
            {**export_rule, "milestone": "won", "value_rule": "fixed"},
            {**export_rule, "platform": "meta_ads", "click_id_type": "fbclid", "upload_days": 8},
            {**export_rule, "milestone": "sql", "consent_rule": "always"},
        ],
        "lead_vendor": [{**POLICIES["lead_vendor"][0], "currency_code": ""}],
        "vendor_trial": [
            {**trial, "vendor": "nobody"},
            {**trial, "trial": "t2", "target_conversion": 0.05},
            {**trial, "trial": "t3", "planned_leads": 19},
            {**trial, "trial": "t4", "conversion_definition": "mql_to_won", "maximum_invalid_share": 0.5},
        ],
        "source_review_rule": [{**POLICIES["source_review_rule"][0], "late_definition": "inquiry_to_mql_30d"}],
    }
    try:
        write_rules(project, bad)
        load_raw(warehouse, {})
        run = dbt(warehouse, "+int_policy__violation", may_fail=True)
    finally:
        write_rules(project, POLICIES)
    assert not run.success
    message = run.messages["int_policy__violation"]
    for line in (
        "conversion_export.csv, row [google_ads, mql, fbclid]: an unknown platform or milestone, or a click id of another platform",
        f"conversion_export.csv, row [linkedin_ads, mql, {NAME}]: no conversion_name, or for LinkedIn one that is not the URN",
        "conversion_export.csv, row [google_ads, won, fixed, (empty)]: an unknown value_rule, or a fixed_value that is missing",
        "conversion_export.csv, row [meta_ads, mql, 90, 8]: no click_lookback_days or upload_days, or more upload_days than",
        "conversion_export.csv, row [google_ads, sql, always]: an unknown consent_rule. consent_rule: granted or not_denied",
        f"conversion_export.csv, row [google_ads, {NAME}]: 3 rows for the same platform and conversion_name",
        "lead_vendor.csv, row [vendor 000, lead_source_label, vendor 000, 2.00, (empty)]: no vendor or match_value",
        "vendor_trial.csv, row [trial vendor 000, nobody, inquiry_to_mql_30d, 2024-08-01]: no trial, start_date or such vendor",
        "vendor_trial.csv, row [t4, vendor 000, mql_to_won, 2024-08-01]: no trial, start_date or such vendor, or no conversion",
        "vendor_trial.csv, row [t2, 0.100000, 0.050000, 0.050000, 0.100000]: the rates or errors leave nothing to test",
        "vendor_trial.csv, row [t3, 0.100000, 0.350000, 0.050000, 0.100000, 19]: too few planned_leads",
        "vendor_trial.csv, row [t4, 0.100000, 0.500000]: a maximal share is not above 0 and below one half",
        "source_review_rule.csv, row [half_year, inquiry_to_mql_30d, inquiry_to_mql_30d]: no review, or not two different",
    ):
        assert line in message, line


def test_shipped_rules_name_sources_that_exist() -> None:
    """An ad platform pays for a lead source that lead_source_map knows."""
    with (SHIPPED_POLICIES / "lead_source_map.csv").open(encoding="utf-8") as file:
        known = {row["lead_source"] for row in csv.DictReader(file)}
    with (SHIPPED_POLICIES / "ad_platform.csv").open(encoding="utf-8") as file:
        assert {row["lead_source"] for row in csv.DictReader(file)} <= known
