"""Touches that people note by hand: the file is loaded as a whole or refused by cell, and becomes touchpoints."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import duckdb
import pytest
from conftest import RunDbt
from leadlag.cli import FAILED, OK, USAGE, CommandError, main
from leadlag.offline import OPTIONAL, REQUIRED, load, read_touches
from leadlag.warehouse import connect, find_target

NOW = datetime(2026, 1, 1)
BERLIN = ZoneInfo("Europe/Berlin")


def written(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


@contextmanager
def duckdb_of(path: Path) -> Iterator[None]:
    with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
        yield


def test_times_and_separators_are_read_as_people_write_them(tmp_path: Path) -> None:
    file = written(
        tmp_path / "fair.csv",
        "Email;Touched_At;touch_type;campaign_name;note",
        "ann@acme.io;2025-03-31;Trade Show;Hannover Messe;met at the booth, wants a demo",
        "ann@acme.io;2025-03-31T14:30;meeting;;",
        "BOB@acme.io;2025-03-31 14:30:00+00:00;call",
        ";;;;",
        encoding="utf-8-sig",
    )
    ann, meeting, bob = read_touches(file, BERLIN, NOW)
    # A day counts as its noon; Berlin is two hours ahead in summer time.
    assert [touch.touched_at for touch in (ann, meeting, bob)] == [
        datetime(2025, 3, 31, 10),
        datetime(2025, 3, 31, 12, 30),
        datetime(2025, 3, 31, 14, 30),
    ]
    assert (ann.touch_type, ann.campaign_name, ann.note) == (
        "trade_show",
        "Hannover Messe",
        "met at the booth, wants a demo",
    )
    assert len({touch.touch_id for touch in (ann, meeting, bob)}) == 3


FAULTS = {
    "ann@acme,2025-01-05,call,": "row 2, column email: 'ann@acme' is no e-mail address; write the person's address",
    ",2025-01-05,call,": "row 3, column email: '' is no e-mail address",
    "ann@acme.io,31.03.2025,call,": "row 4, column touched_at: '31.03.2025' is no time of ISO 8601; write 2026-03-31",
    "ann@acme.io,,call,": "row 5, column touched_at: '' is no time",
    "ann@acme.io,2026-01-02,call,": "row 6, column touched_at: '2026-01-02' lies in the future",
    "ann@acme.io,2025-01-05,lunch,": "row 7, column touch_type: 'lunch' is unknown; write one of trade_show, meeting, call, mail, other",
    f"ann@acme.io,2025-01-05,call,{'x' * 256}": "column campaign_name: '"
    + "x" * 256
    + "' has more than 255 characters",
    "ann@acme.io,2025-01-05,call,a,b": "row 9: 5 cells for 4 columns; quote cells that hold a separator",
    "bob@acme.io,2025-01-05,call,": None,
    "Bob@acme.io,2025-01-05T12:00,CALL,": "row 11: the same touch as row 10; remove one, or give them a touch_id each",
}


def test_every_cell_that_cannot_be_used_is_named_and_nothing_is_loaded(
    tmp_path: Path, profiles_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "bad.csv", "email,touched_at,touch_type,campaign_name", *FAULTS)
    with pytest.raises(CommandError) as refused:
        read_touches(file, ZoneInfo("UTC"), NOW)
    lines = str(refused.value).splitlines()
    assert lines[0] == "nothing was loaded:"
    expected = [fault for fault in FAULTS.values() if fault is not None]
    assert len(lines) - 1 == len(expected)
    for line, fault in zip(lines[1:], expected, strict=True):
        assert line.startswith(f"  {file}, ") and fault in line, line
    with duckdb_of(tmp_path / "leadlag.duckdb"):
        assert main(["load-offline", str(file), "--profiles-dir", str(profiles_dir)]) == FAILED
    assert "row 2, column email" in capsys.readouterr().err
    assert not (tmp_path / "leadlag.duckdb").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("email,when,touch_type\n", "column 'touched_at' is missing"),
        ("email,touched_at,touch_type,colour\n", "column 'colour' is unknown; there are email, touched_at"),
        ("email,touched_at,touch_type,email\n", "column 'email' is there twice"),
        ("", "column 'email' is missing"),
        ('email,touched_at,touch_type\n"open,2025-01-05,call\n', "is no CSV in UTF-8"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "touches.csv").write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=message):
        read_touches(tmp_path / "touches.csv", BERLIN, NOW)


def test_the_template_has_all_columns_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "touches.csv"
    assert main(["load-offline", "--template", str(file)]) == OK
    assert file.read_text(encoding="utf-8").strip().split(",") == [*REQUIRED, *OPTIONAL]
    assert read_touches(file, BERLIN, NOW) == []
    assert main(["load-offline", "--template", str(file)]) == FAILED
    assert main(["load-offline", "--timezone", "Berlin", str(file)]) == USAGE
    assert main(["load-offline", str(tmp_path / "none.csv")]) == FAILED
    assert "cannot read" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_file_replaces_what_it_brought_before(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, profiles_dir: Path
) -> None:
    environment = {"LEADLAG_TARGET": engine, "LEADLAG_DUCKDB_PATH": str(tmp_path / "leadlag.duckdb")}
    if engine == "postgres":
        environment |= request.getfixturevalue("postgres_server")
    header = "touch_id,email,touched_at,touch_type"
    first = written(tmp_path / "a.csv", header, "a1,ann@acme.io,2025-01-05,call", "a2,ann@acme.io,2025-01-06,call")
    other = written(tmp_path / "b.csv", header, "b1,bob@acme.io,2025-01-05,meeting")
    with mock.patch.dict(os.environ, environment), connect(find_target(profiles_dir=profiles_dir)) as warehouse:

        def put(file: Path, day: int) -> tuple[int, int]:
            return load(warehouse, "offline_file", read_touches(file, BERLIN, datetime(2025, 2, day)), file.name)

        def stored() -> list[tuple[object, ...]]:
            query = 'select touch_id, touch_type, entered_at from "offline_file"."touch" order by 1'
            return [(*row[:2], row[2].day) for row in warehouse.query(query).itertuples(index=False)]

        assert put(first, 1) == (2, 0) and put(other, 2) == (1, 0)
        # One touch is corrected, one removed, one added; what is as it was keeps its time of entry.
        written(first, header, "a1,ann@acme.io,2025-01-05,call", "a3,eve@acme.io,2025-01-06,mail")
        assert put(first, 3) == (2, 2)
        assert stored() == [("a1", "call", 1), ("a3", "mail", 3), ("b1", "meeting", 2)]
        written(first, header, "a1,ann@acme.io,2025-01-05,meeting")
        assert put(first, 4) == (1, 2)
        assert stored() == [("a1", "meeting", 4), ("b1", "meeting", 2)]
        written(other, header, "a1,bob@acme.io,2025-01-05,meeting")
        with pytest.raises(CommandError, match=r"'a1' is in a\.csv"):
            put(other, 5)
        assert stored() == [("a1", "meeting", 4), ("b1", "meeting", 2)]


def test_noted_touches_become_touchpoints_of_their_persons_and_campaigns(
    run_dbt: RunDbt, profiles_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "leadlag.duckdb"
    options = ["--profiles-dir", str(profiles_dir)]
    with duckdb_of(path):
        company = ["--leads", "60", "--seed", "11", "--until", "2025-12-31", "--quiet"]
        assert main(["simulate", *company, *options]) == OK
        with duckdb.connect(str(path)) as connection:
            query = """
                select email, cast(created_date as timestamp) as created from salesforce.lead
                where email like '%@%' and not is_deleted order by id limit 1
            """
            ((email, created),) = connection.execute(query).fetchall()
            ((campaign,),) = connection.execute("select name from salesforce.campaign order by id limit 1").fetchall()
        file = written(
            tmp_path / "fair.csv",
            "email,touched_at,touch_type,campaign_name,self_reported_source",
            f"{email.upper()},{created.isoformat()},trade show,{campaign.upper()},Search Engine",
            f"{email},{created.isoformat()},meeting,,",
            "stranger@nowhere.example,2025-01-05,call,,My aunt Erna",
        )
        assert main(["load-offline", str(file), *options]) == OK
        assert "3 touches of fair.csv, which had 0 before" in capsys.readouterr().out
        # Entered before the end of the simulated company's data: what is entered later, a build of that data does not know.
        with connect(find_target(profiles_dir=profiles_dir)) as warehouse:
            warehouse.execute("delete from offline.touch")
            assert load(
                warehouse, "offline", read_touches(file, ZoneInfo("UTC"), datetime(2025, 12, 1)), "fair.csv"
            ) == (3, 0)
    run_dbt(
        [
            "build",
            "--exclude-resource-type",
            "test",
            "unit_test",
            "snapshot",
            "--select",
            "+fct_touchpoint",
            "+campaign_outcome",
        ],
        duckdb_path=path,
        variables={"connectors": ["salesforce", "hubspot", "web", "ads", "product", "offline"]},
    )
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(
            """
            select interaction, touchpoint_type, channel, person_link, self_reported_source
            from main_marts.fct_touchpoint where source_system = 'offline' order by 1
            """
        ).fetchall()
        assert found == [
            ("call", "offline", "offline", None, "other"),
            ("meeting", "offline", "offline", "email", None),
            ("trade_show", "event", "event", "email", "organic_search"),
        ]
        query = """
            select campaign.campaign_name, touch.campaign_key is not null
            from main_marts.fct_touchpoint as noted
            inner join main_intermediate.int_closed_loop__campaign_touch as touch
                on noted.person_key = touch.person_key and noted.occurred_at = touch.touched_at
            inner join main_marts.dim_campaign as campaign on touch.campaign_key = campaign.campaign_key
            where noted.interaction = 'trade_show'
        """
        assert connection.execute(query).fetchall() == [(campaign, True)]
