"""What a fitted score is told: facts about a person that had been recorded by the MQL of a journey.

Behaviour has times of its own. Attributes of lead records have none: sources show what a field holds today, and a field that sales fill in
when they qualify tells the outcome. So only those are read that policy lead_score_feature says a record has had since its creation, and of
these none whose present values show that they came later (`filled_in_later`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from leadlag.cli import CommandError
from leadlag.score.model import LEAST_CASES
from leadlag.warehouse import Warehouse

Bools = npt.NDArray[np.bool_]

# What is read, by schema suffix and relation.
NEEDED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("marts", "fct_conversion"): (
        *("conversion_definition", "journey_key", "person_key", "journey_number", "entered_at", "entered_date"),
        *("converted_at", "ended_at", "is_mature", "in_numerator", "why_not"),
    ),
    ("marts", "fct_journey"): ("journey_key", "entered_at"),
    ("marts", "fct_stage_event"): ("journey_key", "occurred_at", "recorded_at", "resolution"),
    ("intermediate", "int_scoring__handoff"): ("journey_key", "handoff_at"),
    ("intermediate", "int_scoring__signal"): (
        *("subject", "subject_key", "person_key", "kind", "detail", "channel", "page", "occurred_at", "known_at"),
    ),
    ("intermediate", "int_input__clock"): ("as_of",),
    ("policy", "conversion_definition"): ("conversion_definition", "from_milestone", "basis", "time_basis"),
    ("policy", "lead_score_feature"): ("attribute", "known_from", "note"),
    ("policy", "lead_score_threshold"): ("conversion_definition",),
}

_LATER = "known only after the MQL"
_WHOLE = "counts the whole journey, what comes after the MQL too"
_PRESENT = "shown as it is today; the source keeps no history of it"
# Columns of the marts that look useful and are not read, and why.
LEFT_OUT = {
    **dict.fromkeys(
        (
            *("fct_journey.sal_at", "fct_journey.sql_at", "fct_journey.opportunity_at", "fct_journey.won_at"),
            *("fct_journey.ended_at", "fct_journey.outcome", "fct_journey.furthest_stage", "dim_person.is_customer"),
        ),
        _LATER,
    ),
    **dict.fromkeys(
        (
            *("fct_journey.touchpoint_count", "fct_journey.activity_count", "fct_journey.stage_event_count"),
            *("fct_journey.first_sales_contact_at", "fct_journey.first_touch_at", "fct_journey.first_channel"),
            "fct_journey.campaign_key",
        ),
        f"{_WHOLE}; touchpoints and activities are counted up to the MQL instead",
    ),
    **dict.fromkeys(
        (
            *("dim_person.journey_count", "dim_person.lead_record_count", "dim_person.source_system_count"),
            *("fct_journey.rep_key", "fct_journey.account_key", "dim_person.account_key", "dim_person.company_name"),
        ),
        _PRESENT,
    ),
    "fct_opportunity": "exists only once sales have qualified the journey",
    "attributes of accounts": _PRESENT,
    "lead_score": "made of the same facts; the rule score is what fitted scores are compared with",
}

# Facts that are counted: expression of the name, and which signals it holds for.
_COUNTED = (
    ("subject || ' ' || kind || case when detail = '' then '' else ' ' || lower(detail) end", "subject <> 'attribute'"),
    ("'channel ' || channel", "subject = 'touchpoint' and channel <> ''"),
    ("'page ' || page", "subject = 'touchpoint' and page <> ''"),
)
# Names that are counted: at most so many of a kind, each of a hundredth of the journeys.
_MOST_NAMES, _LEAST_SHARE = 40, 0.01
# What is young, in shares of the window, and from which difference on a field counts as filled in later.
_YOUNG, _LEAST_DIFFERENCE, _CHANCE = 0.5, 0.1, 0.001


@dataclass(frozen=True)
class Facts:
    """Journeys with an MQL, their outcomes, and what was known at it. Rows of both frames are the same journeys in order of their key.

    Attributes:
        as_of: of the marts, UTC. definition: the conversion. window: its days.
        journeys: journey_key, predicted_at (the MQL, UTC), quarter_start (business quarter, datetime64), converted (within the window, as
            known at as_of), known_at (when the conversion was recorded; NaT without one), is_mature, is_open.
        features: float columns are counts and times, object columns are categories; None: not known.
        left_out: feature -> why it is not used.
    """

    as_of: datetime
    definition: str
    window: float
    journeys: pd.DataFrame
    features: pd.DataFrame
    left_out: Mapping[str, str]


def check(warehouse: Warehouse) -> None:
    """Raise CommandError, naming the first relation or column that is missing."""
    for (suffix, name), columns in NEEDED.items():
        schema = f"{warehouse.schema}_{suffix}"
        if name not in warehouse.tables(schema):
            raise CommandError(f"there is no {schema}.{name}; run `dbt build` first")
        found = set(warehouse.query(f"select * from {schema}.{name} where 1 = 0").columns)
        lacking = [column for column in columns if column not in found]
        if lacking:
            raise CommandError(
                f"{schema}.{name} has no column {', '.join(lacking)}: it was built by another version; run `dbt build --full-refresh`"
            )


def _definition(warehouse: Warehouse, wanted: str | None) -> tuple[str, float]:
    """Name and window of the definition that is asked for, or of the one that policy lead_score_threshold names."""
    policy = f"{warehouse.schema}_policy"
    named = warehouse.query(f"select min(conversion_definition) as name from {policy}.lead_score_threshold")[
        "name"
    ].iloc[0]
    name = wanted or named
    rows = warehouse.query(f"select * from {policy}.conversion_definition")
    mine = rows[rows["conversion_definition"] == name]
    fits = (rows["from_milestone"] == "mql") & (rows["basis"] == "window") & (rows["time_basis"] == "exact")
    if mine.empty or not fits[mine.index].all() or mine["window_days"].nunique() != 1:
        choice = ", ".join(sorted(set(rows["conversion_definition"][fits]))) or "none"
        said = f"{name!r} is no conversion definition of one exact window from MQL; such are: {choice}"
        # What the policy names, a company need not have.
        raise CommandError(said) if wanted else ValueError(f"seed lead_score_threshold: {said}")
    return str(name), float(mine["window_days"].iloc[0])


def read_facts(warehouse: Warehouse, definition: str | None = None) -> Facts:
    """Journeys and what was known at their MQL.

    Facts are counted in the warehouse, a row a journey and kind of fact.

    Args:
        definition: a conversion definition of an exact window from MQL; that of policy lead_score_threshold when None.

    Raises:
        CommandError: a relation or column is missing, the definition that is asked for does not fit, or it has no journeys.
        ValueError: the policy names a definition that there is not.
    """
    check(warehouse)
    name, window = _definition(warehouse, definition)
    marts, steps = f"{warehouse.schema}_marts", f"{warehouse.schema}_intermediate"
    as_of = pd.Timestamp(
        warehouse.query(f"select as_of from {steps}.int_input__clock")["as_of"].iloc[0]
    ).to_pydatetime()
    # What had converted at its MQL leaves nothing to predict.
    entered = f"""
        select conversion.journey_key, conversion.person_key, conversion.entered_at, conversion.entered_date, conversion.converted_at,
            conversion.ended_at, conversion.journey_number, conversion.is_mature, conversion.in_numerator,
            journey.entered_at as journey_entered_at
        from {marts}.fct_conversion as conversion
        inner join {marts}.fct_journey as journey on conversion.journey_key = journey.journey_key
        inner join {steps}.int_scoring__handoff as handoff
            on conversion.journey_key = handoff.journey_key and conversion.entered_at = handoff.handoff_at
        where conversion.conversion_definition = '{name.replace("'", "''")}'
            and coalesce(conversion.why_not, '') <> 'recycled_policy'
            and coalesce(conversion.converted_at > conversion.entered_at, true)
    """
    rows = warehouse.query(
        f"""
        select entered.*, event.recorded_at as known_at
        from ({entered}) as entered
        left join (
            select journey_key, occurred_at, min(recorded_at) as recorded_at
            from {marts}.fct_stage_event where resolution = 'effective' group by journey_key, occurred_at
        ) as event on entered.journey_key = event.journey_key and entered.converted_at = event.occurred_at
        order by entered.journey_key
        """
    )
    if rows.empty:
        raise CommandError(f"{marts}.fct_conversion has no journeys of {name}")
    entered_at = pd.to_datetime(rows["entered_at"])
    journeys = pd.DataFrame(
        {
            "journey_key": rows["journey_key"].astype("int64"),
            "predicted_at": entered_at,
            "quarter_start": pd.to_datetime(rows["entered_date"]).dt.to_period("Q").dt.start_time,
            "converted": rows["in_numerator"].astype(bool),
            "known_at": pd.to_datetime(rows["known_at"]).fillna(pd.to_datetime(rows["converted_at"])),
            "is_mature": rows["is_mature"].astype(bool),
            "is_open": ~rows["is_mature"].astype(bool) & rows["converted_at"].isna() & rows["ended_at"].isna(),
        }
    )
    # Systems of record keep whole seconds: what is recorded within the second of the MQL is not after it.
    known = f"({entered}) as entered inner join {steps}.int_scoring__signal as signal on entered.person_key = signal.person_key"
    until = "signal.known_at < entered.entered_at + interval '1 second'"
    features = pd.concat(
        [
            _times(journeys, rows, _touched(warehouse, known, until)),
            *(_counts(warehouse, entered, known, until, expression, holds) for expression, holds in _COUNTED),
        ],
        axis=1,
    )
    features = features.reindex(journeys["journey_key"])
    counts = list(features.columns)
    features[counts] = features[counts].fillna(0.0)
    values, left_out = _attributes(warehouse, known, until, journeys, rows, pd.Timestamp(as_of), window)
    features = pd.concat([features, values.reindex(journeys["journey_key"])], axis=1).reset_index(drop=True)
    return Facts(as_of, name, window, journeys, features, {**LEFT_OUT, **left_out})


def _touched(warehouse: Warehouse, known: str, until: str) -> pd.DataFrame:
    """By journey: facts in all and of the last thirty days, and the times of the first and last one."""
    return warehouse.query(
        f"""
        select entered.journey_key, count(*) as facts,
            sum(case when signal.occurred_at > entered.entered_at - interval '30 days' then 1 else 0 end) as recent,
            min(signal.occurred_at) as first_at, max(signal.occurred_at) as last_at
        from {known} where signal.subject <> 'attribute' and {until} group by entered.journey_key
        """
    ).set_index("journey_key")


def _times(journeys: pd.DataFrame, rows: pd.DataFrame, touched: pd.DataFrame) -> pd.DataFrame:
    """Counts and times of a journey, by its key."""
    key = journeys["journey_key"]
    touched = touched.reindex(key)
    at = journeys["predicted_at"].set_axis(key)
    day = pd.Timedelta(days=1)

    def days(since: pd.Series) -> pd.Series:
        return ((at - pd.to_datetime(since.set_axis(key))) / day).astype(float).clip(lower=0).fillna(0.0)

    return pd.DataFrame(
        {
            "behaviour facts": touched["facts"].astype(float),
            "behaviour facts of 30 days": touched["recent"].astype(float),
            "days since first fact": days(touched["first_at"]),
            "days since last fact": days(touched["last_at"]),
            "days since entry": days(rows["journey_entered_at"]),
            "earlier journeys": rows["journey_number"].set_axis(key).astype(float) - 1,
        },
        index=key,
    )


def _counts(warehouse: Warehouse, entered: str, known: str, until: str, expression: str, holds: str) -> pd.DataFrame:
    """Facts by journey (rows) and name (columns), of names that many journeys have."""
    found = warehouse.query(
        f"""
        with fact as (
            select entered.journey_key, {expression} as name, count(*) as facts
            from {known} where {holds} and {until} group by entered.journey_key, {expression}
        ),
        common as (
            select name from fact group by name
            having count(*) >= greatest({LEAST_CASES}, {_LEAST_SHARE} * (select count(*) from ({entered}) as entered))
            order by count(*) desc, name limit {_MOST_NAMES}
        )
        select fact.journey_key, fact.name, fact.facts from fact inner join common on fact.name = common.name
        """
    )
    return found.astype({"facts": float}).pivot(index="journey_key", columns="name", values="facts")


def _attributes(
    warehouse: Warehouse,
    known: str,
    until: str,
    journeys: pd.DataFrame,
    rows: pd.DataFrame,
    as_of: pd.Timestamp,
    window: float,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Attributes by journey key, and those left out with the reason."""
    policy = warehouse.query(f"select attribute, known_from, note from {warehouse.schema}_policy.lead_score_feature")
    left_out = {
        str(row.attribute): f"policy lead_score_feature: known_from is {row.known_from}"
        + (f" ({row.note})" if row.note else "")
        for row in policy.itertuples()
        if row.known_from != "creation"
    }
    named = sorted(set(policy["attribute"]) - set(left_out))
    found = warehouse.query(
        f"""
        select entered.journey_key, signal.kind, signal.detail, signal.known_at, signal.subject_key
        from {known} where signal.subject = 'attribute' and signal.channel = 'record' and {until}
        """
    )
    for kind in sorted(set(found["kind"]) - set(policy["attribute"])):
        left_out[str(kind)] = "policy lead_score_feature has no row of it"
    # Of several records the one that was known first.
    first = found.sort_values(["known_at", "subject_key"]).drop_duplicates(["journey_key", "kind"])
    values = first.pivot(index="journey_key", columns="kind", values="detail").reindex(journeys["journey_key"])
    values = values.reindex(columns=named).astype(object)
    values = values.where(values.notna(), None)
    # Each attribute must show the same among journeys whose outcome is open and those that were once like them.
    since = as_of - journeys["predicted_at"]
    age = _YOUNG * window
    young = journeys["is_open"].to_numpy() & (since / pd.Timedelta(days=1) <= age).to_numpy()
    ended = pd.to_datetime(rows["converted_at"]).fillna(pd.to_datetime(rows["ended_at"]))
    lasted = ((ended - journeys["predicted_at"]) / pd.Timedelta(days=1)).fillna(np.inf).to_numpy()
    settled = journeys["is_mature"].to_numpy() & (lasted > age / 2)
    settled &= (since / pd.Timedelta(days=1) <= 365 + window).to_numpy()
    for attribute in named:
        said = filled_in_later(values[attribute], young, settled)
        if said:
            left_out[attribute] = said
    return values[[one for one in named if one not in left_out]], left_out


def filled_in_later(values: pd.Series, young: Bools, settled: Bools) -> str | None:
    """Whether a field shows other values once outcomes are known, so that it was filled in or changed after the prediction.

    Without leakage young journeys and settled ones that had not ended at such an age are alike. A value whose share differs by ten
    percentage points, and by more than chance in one of a thousand fields (Fisher's exact test, Bonferroni), says that they are not.

    Args:
        values: one a journey, None for not known. young: its outcome is open and its MQL recent.
        settled: its outcome is known, and was open at such an age.

    Returns:
        The finding in words; None when there is none.
    """
    shown = values.fillna("(not known)")
    counts = pd.DataFrame({"young": shown[young].value_counts(), "settled": shown[settled].value_counts()}).fillna(0)
    total = counts.sum()
    share = counts / total
    for value in counts.index[(share["young"] - share["settled"]).abs() >= _LEAST_DIFFERENCE]:
        chance = stats.fisher_exact([counts.loc[value], total - counts.loc[value]]).pvalue
        if chance * len(counts) < _CHANCE:
            return (
                f"filled in or changed after the MQL: {value} at {share.at[value, 'young']:.0%} of {total['young']:.0f} young journeys, at "
                f"{share.at[value, 'settled']:.0%} of {total['settled']:.0f} whose outcome is known"
            )
    return None


def rows_left_out(left_out: Mapping[str, str]) -> list[dict[str, Any]]:
    """Features that are not used, as prediction_score_feature has them."""
    return [
        {"feature": feature, "usage": "left_out", "reason": reason, "quarter_start": None}
        for feature, reason in sorted(left_out.items())
    ]
