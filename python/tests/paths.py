"""Touches and outcomes of journeys, given to the attribution models, and the credit that follows from the definitions in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

# What systems of record tell apart.
SECOND = timedelta(seconds=1)

# channel_budget and channel_lift are tested on tables of their own.
BUDGET = ("int_attribution__spend_month", "int_attribution__elasticity", "int_attribution__channel_response")
SELECTION = (
    *("leadlag.intermediate.attribution", "leadlag.marts.attribution", "int_engagement__spend"),
    *("--exclude", *BUDGET, "int_attribution__judged_response", "channel_budget", "channel_lift"),
)
SEEDS = (
    *("attribution_model", "attribution_position", "attribution_channel_weight", "channel_rule"),
    *("currency_rate", "ad_platform"),
)


@dataclass(frozen=True)
class Touch:
    """A touch: `key` breaks ties of `at`; it comes before what happened in the same `second`, the CRM's unit of time."""

    key: int
    at: datetime
    channel: str
    is_paid: bool = False
    kind: str = "email"
    campaign: int | None = None

    @property
    def second(self) -> datetime:
        return self.at.replace(microsecond=0)


@dataclass(frozen=True)
class Journey:
    """A journey that reached the milestones of `reached`, and ended when `ended_at` says so."""

    key: int
    touches: tuple[Touch, ...]
    reached: Mapping[str, datetime] = field(default_factory=dict)
    ended_at: datetime | None = None
    amount: float | None = None


@dataclass(frozen=True)
class Spend:
    """A row of spend of campaign `campaign`, as its name was at the time."""

    platform: str
    day: date
    amount: float | None
    currency: str | None = "EUR"
    campaign: str = "C1"
    campaign_name: str = ""


@dataclass(frozen=True)
class Model:
    """A row of attribution_model with its shares or weights."""

    name: str
    method: str
    milestone: str = "won"
    eligible: str = "all"
    lookback_days: int = 365
    half_life_days: float | None = None
    training_quarters: int | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    is_reference: bool = False


def write(
    path: Path, journeys: Iterable[Journey], models: Sequence[Model], as_of: datetime, spend: Iterable[Spend] = ()
) -> None:
    """The relations that the attribution models read, in a warehouse with the policy seeds; `models` replace those of the seeds."""
    journeys = list(journeys)
    touches = pd.DataFrame(
        [
            (touch.key, journey.key, touch.at, touch.kind, touch.channel, touch.is_paid, touch.campaign)
            for journey in journeys
            for touch in journey.touches
        ],
        columns=[
            "touchpoint_key",
            "journey_key",
            "occurred_at",
            "touchpoint_type",
            "channel",
            "is_paid",
            "campaign_key",
        ],
    )
    stages = ["inquiry", "mql", "sal", "sql", "opportunity", "won"]
    outcomes = pd.DataFrame(
        [
            (one.key, one.key, *(one.reached.get(stage) for stage in stages), one.ended_at, one.amount)
            for one in journeys
        ],
        columns=["journey_key", "person_key", *(f"{stage}_at" for stage in stages), "ended_at", "amount"],
    )
    spent = pd.DataFrame(
        [(number, *vars(one).values()) for number, one in enumerate(spend)],
        columns=["spend_key", "platform", "day", "amount", "currency", "campaign", "campaign_name"],
    )
    with duckdb.connect(str(path)) as connection:
        connection.register("spent", spent)
        connection.register("touches", touches)
        connection.register("outcomes", outcomes)
        times = ", ".join(f"{stage}_at::timestamp as {stage}_at" for stage in [*stages, "ended"])
        connection.execute(
            f"""
            create schema if not exists main_marts;
            create schema if not exists main_intermediate;
            create or replace table main_marts.fct_touchpoint as
                -- What nobody has identified has no journey; the warehouse has such touches too.
                select 0::bigint as touchpoint_key, null::bigint as journey_key, timestamp '2024-01-01' as occurred_at,
                    'web' as touchpoint_type, 'email' as channel, false as is_paid, null::bigint as campaign_key,
                    'person' as traffic
                union all
                select * replace (touchpoint_key::bigint as touchpoint_key, journey_key::bigint as journey_key,
                    occurred_at::timestamp as occurred_at, channel::varchar as channel,
                    touchpoint_type::varchar as touchpoint_type, is_paid::boolean as is_paid, campaign_key::bigint as campaign_key),
                    'person' as traffic
                from touches;
            create or replace table main_marts.fct_journey as
                select journey_key, person_key, {times} from outcomes;
            create or replace table main_marts.fct_opportunity as
                select journey_key, true as is_counted, won_at::timestamp as won_at, amount::decimal(18, 2) as amount,
                    'EUR' as currency_code, amount::decimal(18, 2) as amount_base
                from outcomes where won_at is not null and amount is not null;
            create or replace table main_marts.dim_date as
                select day::date as date_day, date_trunc('quarter', day)::date as quarter_start
                from generate_series(date '2023-01-01', date '2026-12-31', interval 1 day) as days (day);
            create or replace table main_intermediate.int_kpi__opportunity as
                select journey_key, won_at::date as won_date, 0.5 * amount::double as gross_margin from outcomes;
            create or replace table main_intermediate.int_input__spend as
                select spend_key::bigint as spend_key, day::date as spend_date, platform::varchar as platform,
                    amount::decimal(18, 2) as amount, currency::varchar as currency_code, 'ads' as source_system,
                    campaign::varchar as campaign_source_id, campaign_name::varchar as campaign_name
                from spent;
            create or replace table main_intermediate.int_input__campaign as
                select 'ads' as source_system, 'C1' as source_id, 77::bigint as campaign_key;
            create or replace table main_intermediate.int_input__clock as
                select timestamp '{as_of}' as as_of, date '{as_of.date()}' as as_of_date;
            """
        )
        if models:
            rows = pd.DataFrame(
                [
                    (
                        *(one.name, 1, one.milestone, one.name, one.method, one.eligible, one.lookback_days),
                        *(one.half_life_days, one.training_quarters, one.is_reference, "active", "tests", None),
                    )
                    for one in models
                ]
            )
            shares = pd.DataFrame([(one.name, 1, *item) for one in models for item in one.shares.items()])
            weights = pd.DataFrame([(one.name, 1, *item) for one in models for item in one.weights.items()])
            for name, frame in (
                ("attribution_model", rows),
                ("attribution_position", shares),
                ("attribution_channel_weight", weights),
            ):
                connection.execute(f"delete from main_policy.{name}")
                if len(frame):
                    connection.register("frame", frame)
                    connection.execute(f"insert into main_policy.{name} select * from frame")
                    connection.unregister("frame")


# --- a second opinion ---------------------------------------------------------------------------------------------


def visible(journey: Journey) -> list[Touch]:
    """Touches in order, without page views inside a visit."""
    kept = []
    previous: dict[str, Touch] = {}
    for touch in sorted(journey.touches, key=lambda touch: (touch.at, touch.key)):
        before = previous.get(touch.kind)
        previous[touch.kind] = touch
        is_visit = touch.kind == "web" and before is not None and touch.at - before.at < timedelta(minutes=30)
        if is_visit and before is not None and touch.channel in ("direct", before.channel):
            continue
        kept.append(touch)
    return kept


def path_of(journey: Journey, model: Model) -> list[Touch]:
    end = journey.reached.get(model.milestone, journey.ended_at)
    assert end is not None
    first = end - timedelta(days=model.lookback_days)
    path = [touch for touch in visible(journey) if touch.second <= end and first <= touch.at]
    if model.eligible == "paid":
        return [touch for touch in path if touch.is_paid]
    return [touch for touch in path if model.eligible == "all" or touch.channel != "direct"]


def quarter(day: date) -> int:
    return day.year * 4 + (day.month - 1) // 3


def removal_effects(paths: Sequence[tuple[Sequence[str], bool]], of: Collection[str] | None = None) -> dict[str, float]:
    """Share of conversions lost when a channel (of `of`) is redirected to lost: the chain without it, solved anew for each."""
    channels = sorted({channel for path, _ in paths for channel in path})
    states = {"(start)": 0, **{channel: number for number, channel in enumerate(channels, 1)}}
    size = len(states)
    steps = np.zeros((size, size + 2))
    for path, converted in paths:
        walk = [0, *(states[channel] for channel in path), size if converted else size + 1]
        for here, there in pairwise(walk):
            steps[here, there] += 1
    steps = steps / steps.sum(axis=1, keepdims=True)

    def conversion_rate(removed: int | None) -> float:
        moves, wins = steps[:, :size].copy(), steps[:, size].copy()
        if removed is not None:
            moves[:, removed] = 0
            moves[removed, :] = 0
            wins[removed] = 0
        return float(np.linalg.solve(np.eye(size) - moves, wins)[0])

    base = conversion_rate(None)
    return {channel: 1 - conversion_rate(states[channel]) / base if base > 0 else 0.0 for channel in of or channels}


def markov_weights(journeys: Sequence[Journey], model: Model, at: int | None) -> dict[str, float]:
    """Removal effects of the paths that ended in the quarters before `at`, or of all; none where there are no paths."""
    assert model.training_quarters is not None
    paths = []
    for journey in journeys:
        end = journey.reached.get(model.milestone, journey.ended_at)
        if end is not None and (at is None or at - model.training_quarters <= quarter(end.date()) < at):
            path = [touch.channel for touch in path_of(journey, model)]
            if path:
                paths.append((path, model.milestone in journey.reached))
    return removal_effects(paths) if paths else {}


def position_credit(journey: Journey, model: Model, path: Sequence[Touch]) -> list[float]:
    last = len(path) - 1

    def latest(numbers: list[int]) -> int | None:
        return numbers[-1] if numbers else None

    def before(stage: str) -> int | None:
        at = journey.reached.get(stage)
        return latest([number for number, touch in enumerate(path) if at is not None and touch.second <= at])

    paid = [number for number, touch in enumerate(path) if touch.is_paid]
    not_direct = [number for number, touch in enumerate(path) if touch.channel != "direct"]
    holders = {
        "first": 0,
        "last": last,
        "last_non_direct": not_direct[-1] if not_direct else last,
        "first_paid": paid[0] if paid else None,
        "last_paid": latest(paid),
        "before_inquiry": before("inquiry"),
        "before_mql": before("mql"),
        "before_opportunity": before("opportunity"),
    }
    credit = [0.0] * len(path)
    named = set()
    for position, share in model.shares.items():
        if position != "between":
            holder = holders[position]
            if holder is not None:
                credit[holder] += share
                named.add(holder)
    between = [number for number in range(len(path)) if number not in named]
    for number in between:
        credit[number] += model.shares.get("between", 0) / len(between)
    return credit


def credits_of(
    journeys: Sequence[Journey], model: Model, taught_by: Sequence[Journey] | None = None, at_all_times: bool = False
) -> dict[tuple[int, int | None], float]:
    """Credit by journey and touch of every conversion; touch None: unattributed.

    taught_by: journeys from which Markov models learn, when not from all; at_all_times: whenever they ended.
    """
    taught_by = journeys if taught_by is None else taught_by
    found: dict[tuple[int, int | None], float] = {}
    weights: dict[int, dict[str, float]] = {}
    for journey in journeys:
        if model.milestone not in journey.reached:
            continue
        path = path_of(journey, model)
        counts: dict[str, int] = defaultdict(int)
        for touch in path:
            counts[touch.channel] += 1
        alike = [1 / counts[touch.channel] for touch in path]
        if model.method == "position":
            credit = position_credit(journey, model, path) if path else []
        elif model.method == "time_decay":
            assert model.half_life_days is not None
            end = journey.reached[model.milestone]
            ages = [(end - touch.at) / timedelta(days=model.half_life_days) for touch in path]
            credit = [0.5 ** (age - min(ages)) for age in ages]
        elif model.method == "channel_weight":
            credit = [model.weights.get(touch.channel, model.weights["*"]) for touch in path]
        elif model.method == "shapley":
            credit = alike
        else:
            at = 0 if at_all_times else quarter(journey.reached[model.milestone].date())
            if at not in weights:
                weights[at] = markov_weights(taught_by, model, at or None)
            credit = [weights[at].get(touch.channel, 0) * part for touch, part in zip(path, alike, strict=True)]
        if sum(credit) <= 1e-12 and model.method != "position":
            credit = alike
        if not path or sum(credit) == 0:
            found[(journey.key, None)] = 1.0
            continue
        for touch, part in zip(path, credit, strict=True):
            if part > 1e-15:
                found[(journey.key, touch.key)] = part / sum(credit)
    return found


def backtest(journeys: Sequence[Journey], model: Model) -> tuple[int, int, float, float, float]:
    """Journeys, conversions, Brier score of the base rate, mean gain over it, and the variance of the gain over journeys."""
    ended = [one for one in journeys if model.milestone in one.reached or one.ended_at is not None]
    met = {one.key: {touch.channel for touch in path_of(one, model)} or {"unattributed"} for one in ended}
    halves = [[one for one in ended if one.key % 2 == half] for half in (0, 1)]
    base_errors, gains = [], []
    for taught, judged in (halves, halves[::-1]):
        channel = {touch.key: touch.channel for one in taught for touch in one.touches}
        credit: dict[str, float] = defaultdict(float)
        for (journey, touch), part in credits_of(taught, model, at_all_times=True).items():
            if touch is not None or met[journey] == {"unattributed"}:
                credit["unattributed" if touch is None else channel[touch]] += part
        paths = Counter(name for one in taught for name in met[one.key])
        worth = {name: credit[name] / paths[name] for name in paths}

        def score(one: Journey, worth: Mapping[str, float] = worth) -> float:
            return sum(worth.get(name, 0) for name in met[one.key])

        x = np.array([score(one) for one in taught])
        y = np.array([model.milestone in one.reached for one in taught], dtype=float)
        slope = max(float(np.cov(x, y, bias=True)[0, 1] / np.var(x)), 0) if np.var(x) > 1e-18 else 0.0
        for one in judged:
            p = min(max(y.mean() + slope * (score(one) - x.mean()), 0), 1)
            outcome = float(model.milestone in one.reached)
            base_errors.append((outcome - y.mean()) ** 2)
            gains.append((outcome - y.mean()) ** 2 - (outcome - p) ** 2)
    won = sum(model.milestone in one.reached for one in ended)
    return len(gains), won, float(np.mean(base_errors)), float(np.mean(gains)), float(np.var(gains))
