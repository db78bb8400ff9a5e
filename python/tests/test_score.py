"""Lead scores: the rules against a plain second computation, fitted scores against companies whose truth is known."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, RunDbt
from leadlag.cli import main
from leadlag.forecast.store import TABLES
from leadlag.score import quality
from leadlag.score.facts import LEFT_OUT, Facts, filled_in_later, read_facts
from leadlag.score.history import Scored, learn, score
from leadlag.score.model import ISOTONIC_FROM, calibrate, fit
from leadlag.warehouse import connect, find_target
from scipy.special import expit
from scipy.stats import norm
from score_world import AS_OF, DEFINITION, SCHEMAS, WINDOW, World
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

OK, FAILED, USAGE = 0, 1, 2
SEEDS = [
    "lead_score_rule",
    "lead_score_feature",
    "lead_score_threshold",
    "conversion_definition",
    "capacity",
    "lead_source_map",
]
PREDICTED = ["prediction_lead_score", "prediction_score_feature", "prediction_model_quality"]
STEPS = [
    "intermediate.scoring",
    "marts.scoring",
    "int_kpi__capacity",
    "int_input__lead_score",
    "int_input__score_feature",
]
MODELS = [*STEPS, "int_attribution__conversion_value", "stg_prediction__lead_score", "stg_prediction__score_feature"]
Z = 1.959963984540054


# --- a company in a warehouse --------------------------------------------------------------------------------------------------
def write(path: Path, world: World) -> None:
    """Put the tables of a world into a warehouse."""
    with duckdb.connect(str(path)) as connection:
        for name, frame in world.tables.items():
            schema = next(place for prefix, place in SCHEMAS.items() if name.startswith(prefix))
            connection.execute(f"create schema if not exists {schema}")
            connection.register("frame", frame)
            connection.execute(f"create or replace table {schema}.{name} as from frame")
            connection.unregister("frame")


@pytest.fixture(scope="module")
def company(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """A company in which two facts move the odds, with its scores; its rules have a second version from 2024-07 on."""
    path = tmp_path_factory.mktemp("score") / "leadlag.duckdb"
    with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
        assert main(["simulate", "--leads", "10", "--quiet", "--profiles-dir", str(profiles_dir)]) == OK
    run_dbt(["seed", "--select", *SEEDS], duckdb_path=path)
    world = World(3, effect=float(np.log(2.5)))
    write(path, world)
    with duckdb.connect(str(path)) as connection:
        connection.execute("use main_policy")
        # Another half-life, no limit, a rule more, one less.
        connection.execute(
            "insert into lead_score_rule select * replace (2 as version, date '2024-07-01' as valid_from) from lead_score_rule"
        )
        connection.execute(
            "update lead_score_rule set half_life_days = 10.5, maximum_points = null where version = 2 and score_rule = 'form'"
        )
        connection.execute("delete from lead_score_rule where version = 2 and score_rule = 'manager'")
        connection.execute("update lead_score_rule set points = -7 where version = 2 and score_rule = 'email_click'")
        connection.execute("update lead_score_threshold set current_cut = 35, compared_cut = 60 where score = 'rule'")
    run_dbt(["run", "--select", *MODELS], duckdb_path=path)
    assert call(path, profiles_dir, "score", "--quiet") == OK
    return world, path


def call(path: Path, profiles_dir: Path, *words: str) -> int:
    """Exit code of a command on the warehouse."""
    with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
        return main([*words, "--profiles-dir", str(profiles_dir)])


def facts_of(path: Path, profiles_dir: Path) -> Facts:
    with (
        mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}),
        connect(find_target(profiles_dir=profiles_dir)) as warehouse,
    ):
        return read_facts(warehouse)


def frame_of(path: Path, query: str) -> pd.DataFrame:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).df()


# --- the rules, a second time ----------------------------------------------------------------------------------------------------
def like(value: Any, pattern: str) -> bool:
    """LIKE of SQL with % only, without case; * matches anything."""
    text = str(value).lower()
    if pattern == "*":
        return True
    parts = pattern.lower().split("%")
    if not text.startswith(parts[0]) or (len(parts) == 1 and text != parts[0]):
        return False
    text = text[len(parts[0]) :]
    for part in parts[1:-1]:
        if part not in text:
            return False
        text = text[text.index(part) + len(part) :]
    return len(parts) == 1 or text.endswith(parts[-1])


def signals(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Facts of a person: what, when, and when it was known."""
    touch = tables["fct_touchpoint"]
    touch = touch[touch["person_key"].notna() & (touch["traffic"] == "person")]
    call_ = tables["fct_activity"]
    usage = tables["int_input__product_event"]
    user = usage["lead_record_key"].fillna(usage["email_key"] - 500_000) % 100_000
    parts = [
        ("touchpoint", touch, touch["person_key"], ("touchpoint_type", "interaction", "channel", "landing_path")),
        ("activity", call_, call_["person_key"], ("activity_type", "outcome", "direction", None)),
        ("product_event", usage, user, ("event_name", None, None, None)),
    ]
    rows = [
        pd.DataFrame(
            {
                "subject": subject,
                "person_key": person.astype("int64"),
                **{
                    name: (part[column] if column else None)
                    for name, column in zip(("kind", "detail", "channel", "page"), columns, strict=True)
                },
                "occurred_at": part["occurred_at"],
                "known_at": part[["occurred_at", "recorded_at"]].max(axis=1),
            }
        )
        for subject, part, person, columns in parts
    ]
    record = tables["int_input__lead_record"].merge(
        tables["int_input__account"].drop(columns="source_system").add_prefix("account_"),
        left_on="account_source_id",
        right_on="account_source_id",
        how="left",
    )
    sources = {"Purchased List": "purchased_list", "Web": "website"}
    for kind in ("job_title", "industry", "employee_count", "country", "region", "product_line", "lead_source"):
        for origin in ("record", "account"):
            column = kind if origin == "record" else f"account_{kind}"
            if column not in record:
                continue
            known = record["recorded_at"]
            if origin == "account":
                known = pd.concat([known, record["account_known_at"]], axis=1).max(axis=1)
            value = record[column].map(sources) if kind == "lead_source" else record[column]
            rows.append(
                pd.DataFrame(
                    {
                        "subject": "attribute",
                        "person_key": record["lead_record_key"] % 100_000,
                        "kind": kind,
                        "detail": value,
                        "channel": origin,
                        "page": None,
                        "occurred_at": record["recorded_at"],
                        "known_at": known,
                    }
                )[value.notna()]
            )
    facts = pd.concat(rows, ignore_index=True)
    cells = ["kind", "detail", "channel", "page"]
    return facts.assign(**facts[cells].astype(object).fillna(""))


def matched(facts: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    """Facts by rule and version that they earn points from, each once."""
    found = []
    for (version, name), rows in rules.groupby(["version", "score_rule"]):
        here = np.zeros(len(facts), dtype=bool)
        for rule in rows.itertuples():
            one = (facts["subject"] == rule.subject).to_numpy().copy()
            for cell in ("kind", "detail", "channel", "page"):
                said = {value: like(value, getattr(rule, cell)) for value in facts[cell].unique()}
                one &= facts[cell].map(said).to_numpy(dtype=bool)
            if pd.notna(rule.minimum) or pd.notna(rule.maximum):
                number = pd.to_numeric(facts["detail"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
                low, high = (
                    float(end) if pd.notna(end) else other
                    for end, other in ((rule.minimum, -np.inf), (rule.maximum, np.inf))
                )
                one &= (number >= low) & (number <= high)
            here |= one
        rule = rows.iloc[0]
        found.append(
            facts[here].assign(
                version=version,
                score_rule=name,
                points=float(rule["points"]),
                half_life=float(rule["half_life_days"]) if pd.notna(rule["half_life_days"]) else np.inf,
                limit=float(rule["maximum_points"]) if pd.notna(rule["maximum_points"]) else np.inf,
            )
        )
    return pd.concat(found, ignore_index=True)


def explained(hits: pd.DataFrame, moments: pd.DataFrame) -> pd.DataFrame:
    """Points by person, moment and rule; moments: person_key, journey_key, at, until (known before), version."""
    both = moments.merge(hits, on=["person_key", "version"])
    both = both[(both["known_at"] <= both["at"]) | (both["known_at"] < both["until"])].copy()
    age = ((both["at"] - both["occurred_at"]) / pd.Timedelta(days=1)).clip(lower=0)
    both["faded"] = both["points"] * 0.5 ** (age / both["half_life"])
    once = both["subject"] == "attribute"
    both = pd.concat([both[~once], both[once].drop_duplicates(["person_key", "journey_key", "score_rule"])])
    groups = both.groupby(["person_key", "journey_key", "score_rule"])
    found = groups.agg(
        event_count=("points", "size"), faded=("faded", "sum"), limit=("limit", "first"), subject=("subject", "first")
    )
    found["points"] = found["faded"].clip(-found["limit"], found["limit"])
    return found


def test_rule_scores_are_those_of_a_second_computation(company: tuple[World, Path]) -> None:
    world, path = company
    rules = frame_of(path, "select * from main_policy.lead_score_rule")
    assert set(rules["version"]) == {1, 2}
    hits = matched(signals(world.tables), rules)
    journey = world.tables["fct_journey"]
    begin = pd.Timestamp("2024-07-01", tz="Europe/Berlin").tz_convert("UTC").tz_localize(None)
    handoff = journey["mql_at"].fillna(journey["sal_at"])
    moments = pd.concat(
        [
            pd.DataFrame(
                {"person_key": world.tables["dim_person"]["person_key"], "journey_key": 0, "at": AS_OF, "until": AS_OF}
            ),
            pd.DataFrame(
                {
                    "person_key": journey["person_key"],
                    "journey_key": journey["journey_key"],
                    "at": handoff,
                    "until": handoff + pd.Timedelta(seconds=1),
                }
            ),
        ]
    )
    moments["version"] = np.where(moments["at"] < begin, 1, 2)
    ours = explained(hits, moments)
    theirs = frame_of(path, "select * from main_marts.lead_score_explanation")
    theirs["journey_key"] = theirs["journey_key"].fillna(0).astype("int64")
    theirs = theirs.set_index(["person_key", "journey_key", "score_rule"])
    assert set(theirs.index) == set(ours.index) and len(theirs) > 10_000
    theirs = theirs.reindex(ours.index)
    assert (theirs["event_count"] == ours["event_count"]).all()
    assert theirs["points"].to_numpy(dtype=float) == pytest.approx(ours["points"].to_numpy(), abs=2e-6)
    # Everybody has a score, to the digit the sum of its explanation; a fact in the second of the handoff counts, a later one does not.
    scores = frame_of(path, "select * from main_marts.lead_score").set_index("person_key")
    assert set(scores.index) == set(world.tables["dim_person"]["person_key"])
    now = ours.xs(0, level="journey_key").groupby("person_key")["points"].sum().reindex(scores.index).fillna(0)
    assert scores["score"].to_numpy(dtype=float) == pytest.approx(now.to_numpy(), abs=1e-4)
    with duckdb.connect(str(path), read_only=True) as connection:
        wrong = connection.execute(
            """
            select score.person_key from main_marts.lead_score as score
            left join main_marts.lead_score_explanation as why
                on why.person_key = score.person_key and (why.moment = 'now' or why.journey_key = score.journey_key)
            group by score.person_key, score.score, score.behaviour_score, score.demographic_score, score.handoff_score
            having score.score <> coalesce(sum(why.points) filter (why.moment = 'now'), 0)
                or score.score <> score.behaviour_score + score.demographic_score
                or score.handoff_score <> coalesce(sum(why.points) filter (why.moment = 'handoff'), 0)
            """
        ).fetchall()
    assert wrong == []
    last = journey.sort_values("journey_number").groupby("person_key")["journey_key"].last()
    assert scores["journey_key"].dropna().astype("int64").to_dict() == last.to_dict()
    assert (ours["faded"].abs() > ours["limit"]).any() and (ours["points"] < 0).any()


def test_a_score_can_be_asked_as_of_any_time(
    company: tuple[World, Path], run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world, path = company
    moment = pd.Timestamp("2024-06-30 21:59:59")
    run_dbt(["compile", "--select", "lead_score_as_of"], duckdb_path=path, variables={"score_at": str(moment)})
    compiled, *_ = tmp_path_factory.getbasetemp().glob("target_*/compiled/leadlag/analyses/lead_score_as_of.sql")
    theirs = frame_of(path, compiled.read_text(encoding="utf-8")).set_index(["person_key", "score_rule"])
    # One second before the second version begins in Berlin.
    rules = frame_of(path, "select * from main_policy.lead_score_rule where version = 1")
    persons = world.tables["dim_person"]["person_key"]
    ours = explained(
        matched(signals(world.tables), rules),
        pd.DataFrame({"person_key": persons, "journey_key": 0, "at": moment, "until": moment, "version": 1}),
    ).droplevel("journey_key")
    assert set(theirs.index) == set(ours.index) and (theirs["policy_version"] == 1).all()
    assert theirs.reindex(ours.index)["points"].to_numpy() == pytest.approx(ours["points"].to_numpy(), abs=1e-9)
    whole = ours.groupby("person_key")["points"].sum()
    said = theirs.groupby("person_key")["score"].agg(["min", "max"])
    assert said["min"].to_numpy() == pytest.approx(whole.to_numpy()) and said["max"].to_numpy() == pytest.approx(
        whole.to_numpy()
    )


# --- rules that cannot work --------------------------------------------------------------------------------------------------------
# What each change of a rule table must be told.
BROKEN_RULES = {
    "update lead_score_rule set subject = 'call' where score_rule = 'inbound_call'": (
        "lead_score_rule.csv, row [1, inbound_call, call, call, *]: no version, valid_from or score_rule, an unknown subject"
    ),
    "update lead_score_rule set half_life_days = 30 where score_rule = 'student'": (
        "lead_score_rule.csv, row [1, student, attribute, job_title, %student%, 30.000000]: an unknown attribute or channel"
    ),
    "update lead_score_rule set minimum = 5 where score_rule = 'purchased_list'": (
        "lead_score_rule.csv, row [1, purchased_list, attribute, lead_source, purchased_list, 5.00, (empty)]: minimum or maximum of"
    ),
    "update lead_score_rule set points = 11 where score_rule = 'page_view'": (
        "lead_score_rule.csv, row [1, page_view, touchpoint, web, *, 11.000000, 30.000000, 10.000000]: points of 0 or beyond"
    ),
    "insert into lead_score_rule select * replace ('form 2' as note) from lead_score_rule where score_rule = 'form'": (
        "lead_score_rule.csv, row [1, form, touchpoint, form, *, *, *]: 2 rows for the same version and score_rule"
    ),
    "update lead_score_rule set points = 4 where kind = 'limit_reached'": (
        "lead_score_rule.csv, row [1, trial_used]: the rows of a rule differ in subject, points, half_life_days or maximum_points"
    ),
    "update lead_score_rule set valid_from = '2024-01-01' where score_rule = 'manager'": (
        "lead_score_rule.csv, row [1]: a version has two days of valid_from, or two versions share one"
    ),
    "update lead_score_feature set known_from = 'always' where attribute = 'region'": (
        "lead_score_feature.csv, row [region, always]: an unknown attribute or known_from"
    ),
    "insert into lead_score_feature values ('country', 'later', 'nobody', null)": (
        "lead_score_feature.csv, row [country]: 2 rows for the same attribute"
    ),
    "update lead_score_threshold set conversion_definition = 'mql_to_won' where score = 'boosting'": (
        "lead_score_threshold.csv, row [boosting, mql_to_won]: an unknown score, or a definition that is not of an exact window"
    ),
    "update lead_score_threshold set compared_cut = 40 where score = 'logistic'": (
        "lead_score_threshold.csv, row [logistic, 50, 5.00, 40.00, 40.00, 150.00]: minimum_outcomes or cut_step not above 0"
    ),
    "insert into lead_score_threshold select * from lead_score_threshold where score = 'rule'": (
        "lead_score_threshold.csv, row [rule]: 2 rows for the same score"
    ),
}


def test_rules_that_contradict_are_named(
    company: tuple[World, Path], run_dbt: RunDbt, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(company[1].read_bytes())
    run = run_dbt(["compile", "--select", "int_policy__scoring_violation"], duckdb_path=path)
    compiled, *_ = tmp_path_factory.getbasetemp().glob("target_*/compiled/**/int_policy__scoring_violation.sql")
    with duckdb.connect(str(path)) as connection:
        connection.execute("use main_policy")
        connection.execute("delete from lead_score_rule where version = 2")
        sound = connection.execute(compiled.read_text(encoding="utf-8")).fetchall()
        for statement in BROKEN_RULES:
            connection.execute(statement)
        found = connection.execute(compiled.read_text(encoding="utf-8")).fetchall()
    told = [f"{seed}, row [{row}]: {rule}. {remedy}" for seed, row, rule, remedy in found]
    assert sound == []
    assert [line for line in BROKEN_RULES.values() if not any(line in one for one in told)] == [], told
    assert len(told) == len(BROKEN_RULES), told
    # int_policy__violation, which stops the run, reads it.
    manifest = run_dbt(["parse"], duckdb_path=path).manifest
    assert run.success and manifest is not None
    node = manifest.nodes["model.leadlag.int_policy__violation"]
    assert "model.leadlag.int_policy__scoring_violation" in node.depends_on.nodes


# --- what is judged in SQL ---------------------------------------------------------------------------------------------------------
def judged_of(path: Path) -> pd.DataFrame:
    return frame_of(path, "select * from main_intermediate.int_scoring__judged")


def test_journeys_are_judged_by_what_was_known_and_what_came(company: tuple[World, Path]) -> None:
    world, path = company
    judged = judged_of(path)
    truth = world.tables["fct_conversion"].set_index("journey_key")
    rule = judged[judged["score"] == "rule"].set_index("journey_key")
    assert set(rule.index) == set(truth.index[truth["is_mature"]])
    assert (rule["is_converted"] == truth["in_numerator"].reindex(rule.index)).all()
    explanation = frame_of(
        path, "select journey_key, sum(points) as points from main_marts.lead_score_explanation group by journey_key"
    )
    points = explanation.set_index("journey_key")["points"].reindex(rule.index).fillna(0)
    assert rule["value"].to_numpy() == pytest.approx(points.to_numpy(dtype=float))
    # Fitted scores are judged on the same journeys, in the quarters that they were judged in.
    for name in ("logistic", "boosting"):
        own = judged[judged["score"] == name].set_index("journey_key")
        assert set(own.index) == set(rule.index[rule["is_compared"]])
    assert len(rule["quarter_start"][rule["is_compared"]].unique()) == 6


def test_entries_elsewhere_than_at_the_handoff_and_unnamed_definitions_are_not_judged(
    company: tuple[World, Path], run_dbt: RunDbt, tmp_path: Path
) -> None:
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(company[1].read_bytes())
    before = judged_of(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("use main_marts")
        connection.execute(
            "insert into fct_conversion select * replace ('unnamed' as conversion_definition) from fct_conversion"
        )
        connection.execute(
            "update fct_conversion set entered_at = entered_at + interval 1 hour where journey_key % 7 = 0"
        )
    run_dbt(["run", "--select", "int_scoring__outcome", "int_scoring__judged"], duckdb_path=path)
    keys = ["score", "conversion_definition", "journey_key"]
    left = before.loc[before["journey_key"] % 7 != 0, keys]
    assert len(left) < len(before)
    pd.testing.assert_frame_equal(
        *(frame.sort_values(keys, ignore_index=True) for frame in (judged_of(path)[keys], left))
    )


def test_validation_is_that_of_other_programs(company: tuple[World, Path]) -> None:
    _, path = company
    judged = judged_of(path)
    marts = frame_of(path, "select * from main_marts.score_validation")
    marts["quarter_start"] = pd.to_datetime(marts["quarter_start"])
    seen = 0
    for (name, quarter), part in judged.groupby(["score", "quarter_start"]):
        (row,) = marts[(marts["score"] == name) & (marts["quarter_start"] == quarter)].to_dict("records")
        outcome, value = part["is_converted"].to_numpy(dtype=bool), part["value"].to_numpy()
        assert (row["journeys"], row["converted"]) == (len(part), outcome.sum())
        assert row["auc"] == pytest.approx(roc_auc_score(outcome, value))
        own = quality.auc(outcome, value)
        assert (row["auc_low"], row["auc_high"]) == pytest.approx((own.low, own.high))
        if name == "rule":
            continue
        seen += 1
        # The paired variance of DeLong from placements that are counted pair by pair.
        rule = (
            judged[judged["score"] == "rule"].set_index("journey_key")["value"].reindex(part["journey_key"]).to_numpy()
        )
        beats = [np.sign(one[outcome][:, None] - one[~outcome][None, :]) / 2 + 0.5 for one in (value, rule)]
        difference = beats[0] - beats[1]
        variance = (
            difference.mean(axis=1).var(ddof=1) / outcome.sum() + difference.mean(axis=0).var(ddof=1) / (~outcome).sum()
        )
        ends = [difference.mean() + sign * Z * np.sqrt(variance) for sign in (0, -1, 1)]
        assert [row["auc_difference"], row["auc_difference_low"], row["auc_difference_high"]] == pytest.approx(ends)
    assert seen == 12
    compared = judged[judged["is_compared"]]
    for name, part in compared.groupby("score"):
        (row,) = marts[(marts["score"] == name) & marts["quarter_start"].isna()].to_dict("records")
        own = quality.auc_within(
            part["is_converted"].to_numpy(dtype=bool), part["value"].to_numpy(), part["quarter_start"]
        )
        assert (row["auc"], row["auc_low"], row["auc_high"]) == pytest.approx((own.value, own.low, own.high))
        assert row["journeys"] == len(part) and row["is_reliable"]
        written = frame_of(
            path,
            f"select * from main_prediction.prediction_model_quality where model = 'lead_score_{name}' and metric = 'auc'",
        )
        if name != "rule":
            assert written[["value", "value_low", "value_high"]].to_numpy()[0] == pytest.approx(
                [own.value, own.low, own.high]
            )


def test_deciles_are_those_of_numpy(company: tuple[World, Path]) -> None:
    _, path = company
    judged = judged_of(path)
    marts = frame_of(path, "select * from main_marts.score_decile where quarter_start is null")
    for name, part in judged[judged["is_compared"]].groupby("score"):
        value, outcome = part["value"].to_numpy(), part["is_converted"].to_numpy(dtype=bool)
        # Among the journeys of the own quarter.
        quarter = part["quarter_start"].to_numpy()
        same = quarter[None, :] == quarter[:, None]
        higher = ((value[None, :] > value[:, None]) & same).sum(axis=1)
        decile = 1 + 10 * higher // same.sum(axis=1)
        own = marts[marts["score"] == name].set_index("decile")
        assert set(own.index) == set(decile) and own["journeys"].sum() == len(value)
        for one in own.index:
            here = decile == one
            row = own.loc[one]
            assert (row["journeys"], row["converted"]) == (here.sum(), outcome[here].sum())
            assert row["lift"] == pytest.approx(outcome[here].mean() / outcome.mean())
            assert row["mean_score"] == pytest.approx(value[here].mean())
            assert row["captured_share"] == pytest.approx(outcome[decile <= one].sum() / outcome.sum())
            assert row["lift_low"] <= row["lift"] <= row["lift_high"]


def test_cuts_are_those_of_numpy(company: tuple[World, Path]) -> None:
    world, path = company
    judged = judged_of(path)
    judged = judged[judged["is_compared"]]
    margin = world.tables["int_kpi__opportunity"].set_index("journey_key")["gross_margin"]
    marts = frame_of(path, "select * from main_marts.score_threshold")
    policy = frame_of(path, "select * from main_policy.lead_score_threshold").set_index("score")
    days = (pd.to_datetime(judged["entered_date"]).max() - pd.to_datetime(judged["quarter_start"]).min()).days + 1
    comparison = frame_of(path, "select * from main_marts.score_threshold_comparison").set_index("score")
    for name, part in judged.groupby("score"):
        value, outcome = part["value"].to_numpy(), part["is_converted"].to_numpy(dtype=bool)
        won = part["is_won"].to_numpy(dtype=bool)
        brought = np.where(won, margin.reindex(part["journey_key"]).fillna(0).to_numpy(), 0.0)
        net = brought - float(policy.loc[name, "handling_cost"])
        own = marts[marts["score"] == name].set_index("cut").sort_index()
        assert len(own) > 3
        total = {cut: net[value >= cut].sum() for cut in own.index}
        best = max(total, key=lambda cut: (round(total[cut], 6), cut))
        # 95 % over all pairs of cuts, by another quantile function.
        pairs = len(own) * (len(own) - 1)
        reach = float(norm.isf(0.05 / pairs))
        for cut, row in own.iterrows():
            here = value >= cut
            assert (row["journeys"], row["converted"], row["won"]) == (here.sum(), outcome[here].sum(), won[here].sum())
            assert row["conversion_precision"] == pytest.approx(outcome[here].mean())
            assert row["expected_wins"] == pytest.approx(won[here].sum() / days * 91)
            assert row["expected_margin"] == pytest.approx(brought[here].sum() / days * 91)
            assert row["expected_net_margin"] == pytest.approx(total[cut] / days * 91, abs=1e-6)
            assert row["capacity_used"] == pytest.approx(here.sum() / days * 7 / 25_000)
            between = (value >= min(cut, best)) & (value < max(cut, best))
            noise = np.sqrt(max(between.sum() * np.mean(net**2), np.sum(net[between] ** 2)))
            if abs(total[best] - total[cut] - reach * noise) > 1e-3 * noise:
                assert row["is_within_noise"] == (total[best] - total[cut] <= reach * noise)
        assert own.index[own["is_recommended"]].tolist() == [best]
        row = comparison.loc[name]
        low, high = row["current_cut"], row["compared_cut"]
        assert row["current_precision"] == pytest.approx(outcome[value >= low].mean())
        assert row["precision_difference"] == pytest.approx(
            outcome[value >= high].mean() - outcome[value >= low].mean(), abs=1e-12
        )
        assert row["precision_difference_low"] <= row["precision_difference"] <= row["precision_difference_high"]
        between = (value >= low) & (value < high)
        noise = Z * np.sqrt(max(between.sum() * np.mean(net**2), np.sum(net[between] ** 2)))
        ends = [(-net[between].sum() + sign * noise) / days * 91 for sign in (0, -1, 1)]
        said = [row[f"net_margin_difference{end}"] for end in ("", "_low", "_high")]
        assert said == pytest.approx(ends)
        verdict = "keep_current" if said[2] < 0 else "raise" if said[1] > 0 else "within_noise"
        assert row["verdict"] == verdict


# --- fitted scores -----------------------------------------------------------------------------------------------------------------
def aucs(scored: Scored) -> dict[str, dict[str, Any]]:
    return {row["model"].removeprefix("lead_score_"): row for row in scored.quality if row["metric"] == "auc"}


def metric_rows(scored: Scored, metric: str) -> list[dict[str, Any]]:
    return [row for row in scored.quality if row["metric"] == metric]


def test_a_planted_effect_is_found_and_calibrated(company: tuple[World, Path]) -> None:
    world, path = company
    marts = frame_of(path, "select * from main_marts.score_validation where quarter_start is null").set_index("score")
    strong = pd.Series(world.strong, index=world.tables["fct_conversion"]["journey_key"])
    judged = judged_of(path)
    part = judged[judged["is_compared"] & (judged["score"] == "logistic")]
    best = quality.auc(part["is_converted"].to_numpy(dtype=bool), strong.reindex(part["journey_key"]).to_numpy())
    assert best.value is not None
    for name in ("logistic", "boosting"):
        row = marts.loc[name]
        # Better than chance beyond doubt, and not far from knowing the truth.
        assert row["auc_low"] > 0.55 and row["auc"] > best.value - 0.04
        assert row["rate_low"] - 0.03 < row["expected_rate"] < row["rate_high"] + 0.03
        (slope,) = frame_of(
            path,
            f"select value_low, value_high from main_prediction.prediction_model_quality "
            f"where model = 'lead_score_{name}' and metric = 'calibration_slope'",
        ).to_numpy()
        assert slope[0] < 1 < slope[1]


def synthetic(seed: int, count: int, effect: float) -> tuple[Facts, pd.Series]:
    """Facts of a company without a warehouse: one category and five counts, of which the first count and one category move the odds."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.integers(0, 1_000, count))
    at = pd.Series(pd.Timestamp("2023-01-01 12:00") + pd.to_timedelta(days, unit="D"))
    title = rng.choice(["a", "b", "c"], count)
    counts = rng.poisson(2, (count, 5)).astype(float)
    odds = -0.4 + effect * ((title == "a").astype(float) + (counts[:, 0] > 2) - 0.7)
    converts = pd.Series(rng.uniform(size=count) < expit(odds))
    as_of = pd.Timestamp("2025-09-27 12:00")
    known = at + pd.to_timedelta(rng.uniform(1, WINDOW - 1, count), unit="D")
    is_mature = at + pd.Timedelta(days=WINDOW) <= as_of
    journeys = pd.DataFrame(
        {
            "journey_key": np.arange(count),
            "predicted_at": at,
            "quarter_start": at.dt.to_period("Q").dt.start_time,
            "converted": converts & is_mature,
            "known_at": known.where(converts),
            "is_mature": is_mature,
            "is_open": ~is_mature & ~(converts & (known <= as_of)),
        }
    )
    features = pd.DataFrame({"title": pd.Series(title, dtype=object), **{f"count {n}": counts[:, n] for n in range(5)}})
    return Facts(as_of.to_pydatetime(), DEFINITION, float(WINDOW), journeys, features, LEFT_OUT), pd.Series(expit(odds))


def test_noise_is_not_found() -> None:
    for seed in range(3):
        facts, _ = synthetic(seed, 1_200, 0.0)
        for row in aucs(score(facts, "Europe/Berlin", 4)).values():
            assert row["value_low"] is None or row["value_low"] < 0.5, (seed, row)


@pytest.mark.long
def test_noise_is_found_no_oftener_than_its_level_says_and_doubled_odds_always() -> None:
    found = {"logistic": 0, "boosting": 0}
    runs = 60
    for seed in range(100, 100 + runs):
        facts, _ = synthetic(seed, 1_500, 0.0)
        for name, row in aucs(score(facts, "Europe/Berlin", 6)).items():
            found[name] += row["value_low"] is not None and row["value_low"] > 0.5
        facts, _ = synthetic(seed, 3_000, float(np.log(2)))
        assert all(row["value_low"] > 0.5 for row in aucs(score(facts, "Europe/Berlin", 6)).values()), seed
    # One-sided 2.5 % of 60: more than six happens once in a thousand.
    assert max(found.values()) <= 6, found


def test_probabilities_are_right_as_often_as_they_say() -> None:
    facts, truth = synthetic(7, 6_000, 1.2)
    scored = score(facts, "Europe/Berlin", 8)
    judged = pd.DataFrame([row for row in scored.predictions if row["usage"] == "judged"]).set_index("journey_key")
    for row in metric_rows(scored, "calibration_slope"):
        assert row["value_low"] < 1 < row["value_high"], row
    for _, own in judged.groupby("score"):
        error = own["probability"] - truth.reindex(own.index)
        assert np.sqrt(np.mean(error**2)) < 0.1 and abs(error.mean()) < 0.02
    # Open journeys are scored by the last model, each once by either score, and nobody else is.
    waiting = [(row["score"], row["journey_key"]) for row in scored.predictions if row["usage"] == "open"]
    assert len(waiting) == len(set(waiting)) == 2 * facts.journeys["is_open"].sum() > 100


def test_maps_are_lines_for_few_cases_and_steps_for_many() -> None:
    rng = np.random.default_rng(1)
    for count in (ISOTONIC_FROM - 1, 4 * ISOTONIC_FROM):
        raw = rng.uniform(0.05, 0.95, count)
        true = expit(0.5 * np.log(raw / (1 - raw)) - 0.8)
        found, reason = calibrate(raw, rng.uniform(size=count) < true)
        assert reason is None and (found.steps is None) == (count < ISOTONIC_FROM)
        grid = np.linspace(0.1, 0.9, 81)
        assert found(grid) == pytest.approx(expit(0.5 * np.log(grid / (1 - grid)) - 0.8), abs=0.05)
        assert (np.diff(found(grid)) >= 0).all()
    # Later cases that say the opposite turn nothing round.
    raw = rng.uniform(0.2, 0.8, 500)
    outcome = rng.uniform(size=500) < 1 - raw
    found, reason = calibrate(raw, outcome)
    assert reason is not None and "do not bear the score out" in reason
    assert found(raw) == pytest.approx(np.full(500, outcome.mean()))
    same, reason = calibrate(raw, np.arange(500) < 9)
    assert reason is not None and "not calibrated" in reason and same(raw) == pytest.approx(raw)


def test_metrics_are_those_of_scikit_learn_and_of_a_bootstrap() -> None:
    rng = np.random.default_rng(5)
    p = rng.uniform(0.05, 0.95, 400).round(2)
    y = rng.uniform(size=400) < p
    assert quality.brier(y, p).value == pytest.approx(brier_score_loss(y, p))
    assert quality.log_loss(y, p).value == pytest.approx(sklearn_log_loss(y, p))
    one = quality.auc(y, p)
    assert one.value == pytest.approx(roc_auc_score(y, p)) and one.low is not None and one.high is not None
    draws = rng.integers(0, 400, (300, 400))
    spread = np.std([roc_auc_score(y[draw], p[draw]) for draw in draws])
    assert (one.high - one.low) / (2 * Z) == pytest.approx(spread, rel=0.15)
    slope = quality.calibration_slope(y, p)
    assert slope.low is not None and slope.low < 1 < (slope.high or 0)
    halved = quality.calibration_slope(y, expit(2 * np.log(p / (1 - p))))
    assert halved.value == pytest.approx((slope.value or 0) / 2, rel=1e-6)
    assert quality.auc(np.ones(3, dtype=bool), p[:3]) == quality.Measured(None)
    assert quality.auc(np.array([True, False, False]), np.array([2.0, 1.0, 1.0])) == quality.Measured(1.0)


def test_drift_is_told_from_noise() -> None:
    rng = np.random.default_rng(6)
    above = []
    for _ in range(400):
        index = quality.stability(rng.multinomial(900, [1 / 3] * 3), rng.multinomial(150, [1 / 3] * 3))
        assert index is not None
        above.append(index[0] > index[1])
    assert np.mean(above) == pytest.approx(0.05, abs=0.035)
    cell = quality.cells(pd.Series(np.r_[rng.normal(0, 1, 900), rng.normal(0.5, 1, 150)]))
    assert np.bincount(cell).min() >= 100 and cell.max() == 9
    index = quality.stability(np.bincount(cell[:900]), np.bincount(cell[900:], minlength=10))
    assert index is not None and index[0] > index[1]
    assert quality.cells(pd.Series(["b", None, "b", "a"], dtype=object)).tolist() == [0, 1, 0, 2]
    # (1/2 - 1/4) ln 2 + (1/2 - 3/4) ln 2/3 = ln 3 / 4.
    index = quality.stability([4e6, 4e6], [2e6, 6e6])
    assert index is not None and index[0] == pytest.approx(0.25 * np.log(3), rel=1e-5)
    assert quality.stability([4, 4], [0, 0]) is None and quality.stability([4, 0], [2, 0]) is None


# --- what must not be known --------------------------------------------------------------------------------------------------------
def test_a_model_knows_nothing_that_was_recorded_later() -> None:
    facts, _ = synthetic(9, 2_000, 0.8)
    moment = pd.Timestamp("2025-01-01")
    later = facts.journeys["predicted_at"] + pd.Timedelta(days=WINDOW) > moment
    assert later.sum() > 400
    planted = facts.journeys.assign(converted=facts.journeys["converted"] ^ later)
    planted.loc[later & planted["converted"], "known_at"] = moment + pd.Timedelta(days=1)
    changed = facts.features.copy()
    changed.loc[later, "count 0"] = 9.0
    one, other = learn(facts, moment), learn(replace(facts, journeys=planted, features=changed), moment)
    for name, said in one.predict(facts.features).items():
        assert np.array_equal(said, other.predict(facts.features)[name])
    # What was recorded before counts.
    flipped = facts.journeys["converted"] ^ (~later & (facts.journeys["journey_key"] % 3 == 0))
    before = learn(replace(facts, journeys=facts.journeys.assign(converted=flipped)), moment)
    assert not np.array_equal(before.predict(facts.features)["logistic"], one.predict(facts.features)["logistic"])


@pytest.fixture
def leaky(company: tuple[World, Path], tmp_path: Path) -> Path:
    """The same company, with fields filled in and facts recorded once the outcome was known."""
    world, path = company
    copy = tmp_path / "leadlag.duckdb"
    copy.write_bytes(path.read_bytes())
    converted = world.tables["fct_conversion"].loc[lambda rows: rows["converted_at"].notna()]
    changed = World(world.seed, effect=float(np.log(2.5)))
    records = changed.tables["int_input__lead_record"]
    late = (records["lead_record_key"] % 100_000).isin(converted["person_key"])
    records["industry"] = np.where(late, "Logistics", None)
    records["job_title"] = records["job_title"].mask(late, "Chief Buyer")
    touches = changed.tables["fct_touchpoint"]
    # Dated before the MQL, recorded after the conversion.
    hints = pd.DataFrame(
        {
            "person_key": converted["person_key"].astype("Int64"),
            "occurred_at": converted["entered_at"] - pd.Timedelta(days=1),
            "recorded_at": converted["converted_at"] + pd.Timedelta(hours=1),
            "touchpoint_type": "offline",
            "interaction": "met",
            "traffic": "person",
            "channel": "event",
            "touchpoint_key": 900_000 + np.arange(len(converted)),
        }
    )
    changed.tables = {
        "int_input__lead_record": records,
        "fct_touchpoint": pd.concat([touches, hints], ignore_index=True),
    }
    write(copy, changed)
    return copy


def test_planted_leakage_is_not_used(company: tuple[World, Path], leaky: Path, profiles_dir: Path) -> None:
    honest, facts = facts_of(company[1], profiles_dir), facts_of(leaky, profiles_dir)
    # The policy says of one field that nobody knows its time; the other shows by its values that it came later.
    assert "known_from is unknown" in facts.left_out["industry"] and "industry" not in facts.features
    assert "filled in or changed after the MQL" in facts.left_out["job_title"] and "job_title" not in facts.features
    assert "job_title" in honest.features and set(honest.left_out) < set(facts.left_out)
    # What was recorded later is not counted for the journey that it would tell on, whatever day it bears; second journeys know the first.
    told = facts.features.filter(like="offline").sum(axis=1)
    first = facts.journeys["journey_key"].isin(
        company[0].tables["fct_journey"].loc[lambda rows: rows["journey_number"] == 1, "journey_key"]
    )
    assert told[first].sum() == 0
    # With the fields it would know all; without them it knows the visits to the pricing page.
    rows = aucs(score(facts, "Europe/Berlin", 6))
    assert all(0.5 < row["value"] < 0.72 for row in rows.values()), rows
    leak = facts.features.assign(told=facts.journeys["converted"].map({True: "yes", False: None}).astype(object))
    assert aucs(score(replace(facts, features=leak), "Europe/Berlin", 2))["boosting"]["value"] > 0.9


def test_a_field_is_suspect_only_beyond_chance() -> None:
    rng = np.random.default_rng(8)
    young = np.arange(2_000) < 60
    suspected = 0
    for _ in range(100):
        values = pd.Series(rng.choice(np.array(["a", "b", None], dtype=object), 2_000))
        suspected += filled_in_later(values, young, ~young) is not None
    assert suspected <= 1
    values = pd.Series(np.where(young | (rng.uniform(size=2_000) < 0.5), None, "a"), dtype=object)
    assert "(not known) at 100% of 60 young journeys, at 4" in (filled_in_later(values, young, ~young) or "")
    assert filled_in_later(values, young & (np.arange(2_000) < 5), ~young) is None


def test_every_column_of_the_marts_is_used_or_left_out_with_a_reason() -> None:
    documented = yaml.safe_load((ROOT / "models" / "marts" / "core" / "_core.yml").read_text(encoding="utf-8"))
    columns = {
        f"{model['name']}.{column['name']}"
        for model in documented["models"]
        if model["name"] in ("fct_journey", "dim_person")
        for column in model["columns"]
    }
    used = {
        # Names of the journey and its beginning; attributes that the lead record has too.
        *"journey_key person_key journey_number journey_type entry_lead_record_key entry_source_system entry_stage entered_at".split(),
        *"entered_date first_seen_at first_source_system inquiry_at mql_at".split(),
        *"lead_source region product_line country industry employee_count job_title".split(),
    }
    forgotten = {name for name in columns - set(LEFT_OUT) if name.split(".")[1] not in used}
    assert forgotten == set()
    assert {name for name in LEFT_OUT if name.startswith(("fct_journey.", "dim_person."))} <= columns


def test_dbt_creates_the_tables_that_the_command_writes() -> None:
    folder = ROOT / "models" / "staging" / "prediction"
    (source,) = yaml.safe_load((folder / "_prediction.yml").read_text(encoding="utf-8"))["sources"]
    declared = {table["name"]: [column["name"] for column in table["columns"]] for table in source["tables"]}
    assert {name: TABLES[name].names for name in PREDICTED} == {name: declared[name] for name in PREDICTED}


# --- the command -------------------------------------------------------------------------------------------------------------------
def test_a_run_replaces_itself_and_says_what_it_found(
    company: tuple[World, Path], profiles_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(company[1].read_bytes())
    tables = [f"main_prediction.{name}" for name in PREDICTED]
    before = [frame_of(path, f"select * from {table} order by all") for table in tables]
    assert all(len(rows) for rows in before)
    capsys.readouterr()
    assert call(path, profiles_dir, "score", "--dry-run", "--json", "--quarters", "1") == OK
    printed = json.loads(capsys.readouterr().out)
    assert {name: set(rows[0]) <= set(TABLES[name].names) for name, rows in printed.items()} == dict.fromkeys(
        PREDICTED, True
    )
    assert [len(frame_of(path, f"select * from {table}")) for table in tables] == [len(rows) for rows in before]
    assert call(path, profiles_dir, "score", "--quiet") == OK
    said = capsys.readouterr().out
    assert "better than chance" in said and f"{len(before[0])} rows in main_prediction.prediction_lead_score" in said
    for table, rows in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(frame_of(path, f"select * from {table} order by all"), rows)
    # No number in a table is NaN, and the open journeys are in the mart.
    for table in tables:
        numbers = [
            name
            for name, kind in zip(TABLES[table.split(".")[1]].names, TABLES[table.split(".")[1]].types, strict=True)
            if kind == "double"
        ]
        for name in numbers:
            assert frame_of(path, f"select count(*) as n from {table} where isnan({name})")["n"][0] == 0
    waiting = frame_of(path, "select * from main_marts.lead_score_probability")
    assert len(waiting) == (before[0]["usage"] == "open").sum() > 0 and waiting["person_key"].notna().all()
    features = frame_of(path, "select * from main_marts.score_feature")
    assert set(features["feature"][features["usage"] == "left_out"]) >= set(LEFT_OUT)
    assert features["reason"][features["usage"] == "left_out"].notna().all()
    titles = features[(features["feature"] == "job_title")].set_index("quarter_start")
    assert titles["known_share"].between(0.7, 0.95).all() and len(titles) >= 10
    assert call(path, profiles_dir, "score", "--quarters", "0") == USAGE


@pytest.mark.parametrize(
    ("change", "words", "code", "message"),
    [
        ("drop table main_marts.fct_conversion", [], FAILED, "there is no main_marts.fct_conversion; run `dbt build`"),
        ("alter table main_marts.fct_conversion drop column ended_at", [], FAILED, "fct_conversion has no column ended_at"),
        ("delete from main_marts.fct_conversion", [], FAILED, f"has no journeys of {DEFINITION}"),
        ("select 1", ["--definition", "mql_to_gold"], FAILED, "'mql_to_gold' is no conversion definition of one exact window"),
        ("select 1", ["--definition", "mql_to_won"], FAILED, "'mql_to_won' is no conversion definition of one exact window"),
        ("delete from main_policy.lead_score_threshold", [], OK, "nothing is scored yet: seed lead_score_threshold: None is no conv"),
        (f"delete from main_policy.conversion_definition where conversion_definition = '{DEFINITION}'", [], OK, "such are: mql_to_opp"),
        ("update main_marts.fct_conversion set in_numerator = false", [], OK, "0 converted: one outcome teaches nothing"),
        ("update main_marts.fct_conversion set in_numerator = journey_key % 100 = 0", [], OK, "50 of each are needed"),
        ("delete from main_marts.fct_conversion where entered_at < '2025-06-20'", [], OK, "nothing is scored yet"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_named(
    company: tuple[World, Path], profiles_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    change: str, words: list[str], code: int, message: str,
) -> None:  # fmt: skip
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(company[1].read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute(change)
    capsys.readouterr()
    assert call(path, profiles_dir, "score", "--quiet", *words) == code
    printed = capsys.readouterr()
    assert message in printed.out + printed.err


def test_too_few_quarters_are_named() -> None:
    facts, _ = synthetic(10, 1_500, 0.5)
    young = facts.journeys["predicted_at"] >= pd.Timestamp("2025-04-01")
    kept = replace(
        facts,
        journeys=facts.journeys[young].reset_index(drop=True),
        features=facts.features[young].reset_index(drop=True),
    )
    with pytest.raises(ValueError, match="1 whole quarters of journeys whose window is over; 2 are needed"):
        score(kept, "Europe/Berlin", 4)


# --- real leads --------------------------------------------------------------------------------------------------------------------
# What the columns of the data set mean decides, by its data dictionary; there are no times. An identifier says nothing of a lead.
X_LEFT_OUT = {
    "Prospect ID": "identifier",
    "Lead Number": "identifier, rises with time",
    "Tags": "status that sales give the lead in the course of their calls",
    "Lead Quality": "what the salesperson thinks after talking",
    "Lead Profile": "level that sales assign after talking",
    "Last Activity": "last event until the export, which may be after the conversion",
    "Last Notable Activity": "as Last Activity",
    "Asymmetrique Activity Index": "score of a tool at the export, which goes on after the conversion",
    "Asymmetrique Profile Index": "as the other index",
    "Asymmetrique Activity Score": "as the index",
    "Asymmetrique Profile Score": "as the index",
}


def x_education(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Features and outcome. Select is a choice that nobody made; google is Google."""
    leads = pd.read_csv(folder / "x_education" / "Leads.csv")
    outcome = leads.pop("Converted").to_numpy(dtype=bool)
    leads = leads.drop(columns=[*X_LEFT_OUT, *leads.columns[leads.columns.str.startswith("Unnamed")]])
    numbers = ["TotalVisits", "Total Time Spent on Website", "Page Views Per Visit"]
    features = leads.drop(columns=numbers).astype(object)
    features = features.where(features.notna() & (features != "Select"), None).replace({"google": "Google"})
    for name in numbers:
        features[f"{name} is known"] = leads[name].notna().map({True: "yes", False: "no"}).astype(object)
        features[name] = leads[name].fillna(0.0).astype(float)
    return features, outcome


def test_scores_of_real_leads(shared_data: Path) -> None:
    features, outcome = x_education(shared_data)
    assert (outcome.sum(), len(outcome)) == (3_561, 9_240)
    assert "Select" not in set(features["Specialization"]) and "google" not in set(features["Lead Source"])
    fold = np.random.default_rng(0).permutation(len(outcome)) % 5
    said = {name: np.zeros(len(outcome)) for name in ("logistic", "boosting")}
    for one in range(5):
        # Three folds teach, one calibrates, one is judged.
        judged, later = fold == one, fold == (one + 1) % 5
        teach = ~judged & ~later
        fitted = fit(features[teach], outcome[teach], features[later], outcome[later])
        for name, probability in fitted.predict(features[judged]).items():
            said[name][judged] = probability
    found = {name: quality.auc_within(outcome, one, fold) for name, one in said.items()}
    assert 0.82 < (found["logistic"].low or 0) < (found["logistic"].high or 0) < 0.87, found
    assert 0.85 < (found["boosting"].low or 0) < (found["boosting"].high or 0) < 0.90, found
    for one in said.values():
        slope = quality.calibration_slope(outcome, one)
        assert slope.low is not None and slope.low < 1 < (slope.high or 0), slope
        assert abs(one.mean() - outcome.mean()) < 0.01
