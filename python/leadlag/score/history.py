"""Fitted scores through time: each quarter is judged by a model that knew nothing of it, and open journeys are scored by the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadlag.score import quality
from leadlag.score.facts import Facts, rows_left_out
from leadlag.score.model import SCORES, Fitted, fit

# Fewer conversions than these, or fewer journeys without one, teach nothing.
LEAST_OUTCOMES = 50
METRICS = {
    "brier": quality.brier,
    "log_loss": quality.log_loss,
    "calibration_slope": quality.calibration_slope,
}

Progress = Callable[[list[pd.Timestamp]], Iterable[pd.Timestamp]]


@dataclass(frozen=True)
class Scored:
    """What a run found, as rows of its tables.

    Attributes:
        predictions: prediction_lead_score. features: prediction_score_feature. quality: prediction_model_quality.
        skipped: quarters that could not be judged -> why. reasons: score -> fallback that the last model took.
    """

    predictions: list[dict[str, Any]]
    features: list[dict[str, Any]]
    quality: list[dict[str, Any]]
    skipped: dict[pd.Timestamp, str]
    reasons: dict[str, str]


def learn(facts: Facts, moment: pd.Timestamp) -> Fitted:
    """The model that could have been fitted at a time (UTC) from what was known then.

    Journeys teach once their window is over. The last whole quarter of them, and what is over of the next one, calibrates; all earlier
    quarters teach.

    Raises:
        ValueError: too little was known.
    """
    journeys = facts.journeys
    window = pd.Timedelta(days=facts.window)
    over = (journeys["predicted_at"] + window <= moment).to_numpy()
    # A conversion that was recorded later was none yet.
    outcome = (journeys["converted"] & (journeys["known_at"] <= moment)).to_numpy()
    quarters = sorted(set(journeys["quarter_start"][over]))
    whole = [one for one in quarters if one + pd.offsets.QuarterBegin(startingMonth=1) + window <= moment]
    if len(whole) < 2:
        raise ValueError(
            f"{len(whole)} whole quarters of journeys whose window is over; 2 are needed, one to learn and one to calibrate"
        )
    late = (journeys["quarter_start"] >= whole[-1]).to_numpy()
    teach, check = over & ~late, over & late
    return fit(facts.features[teach], outcome[teach], facts.features[check], outcome[check])


def _rows(facts: Facts, model: Fitted, chosen: Any, usage: str) -> list[dict[str, Any]]:
    """Predictions of the chosen journeys."""
    journeys = facts.journeys[chosen]
    if journeys.empty:
        return []
    return [
        {
            "conversion_definition": facts.definition,
            "score": score,
            "journey_key": int(key),
            "predicted_at": at.to_pydatetime(),
            "usage": usage,
            "probability": float(one),
            "reason": model.reasons[score],
        }
        for score, probabilities in model.predict(facts.features[chosen]).items()
        for key, at, one in zip(journeys["journey_key"], journeys["predicted_at"], probabilities, strict=True)
    ]


def score(facts: Facts, zone: str, quarters: int, progress: Progress = iter) -> Scored:
    """Judge the last quarters and score open journeys.

    Args:
        zone: business time zone, in which quarters begin. quarters: at most so many are judged. progress: shows how far it is.

    Raises:
        ValueError: fewer than LEAST_OUTCOMES of an outcome, or fewer than two quarters.
    """
    journeys = facts.journeys
    mature = journeys["is_mature"].to_numpy()
    converted = int(journeys["converted"][mature].sum())
    if min(converted, int(mature.sum()) - converted) == 0:
        raise ValueError(
            f"of {mature.sum()} journeys whose window is over {converted} converted: one outcome teaches nothing"
        )
    if min(converted, int(mature.sum()) - converted) < LEAST_OUTCOMES:
        raise ValueError(
            f"{converted} journeys converted and {mature.sum() - converted} did not; {LEAST_OUTCOMES} of each are needed"
        )
    last = learn(facts, pd.Timestamp(facts.as_of))
    rows, skipped = [], {}
    for quarter in progress(sorted(set(journeys["quarter_start"][mature]))[-quarters:]):
        begin = quarter.tz_localize(zone).tz_convert("UTC").tz_localize(None)
        try:
            model = learn(facts, begin)
        except ValueError as error:
            skipped[quarter] = str(error)
            continue
        rows += _rows(facts, model, mature & (journeys["quarter_start"] == quarter).to_numpy(), "judged")
    judged = _quality(facts, rows)
    rows += _rows(facts, last, journeys["is_open"].to_numpy(), "open")
    reasons = {name: reason for name, reason in last.reasons.items() if reason}
    return Scored(rows, [*_drift(facts, last), *rows_left_out(facts.left_out)], judged, skipped, reasons)


def _quality(facts: Facts, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Metrics of each score over all quarters judged."""
    if not rows:
        return []
    journeys = facts.journeys.set_index("journey_key")
    judged = pd.DataFrame(rows).join(journeys[["converted", "quarter_start"]], on="journey_key")
    end = judged["quarter_start"].max() + pd.offsets.QuarterBegin(startingMonth=1) - pd.Timedelta(days=1)
    found = []
    for name in SCORES:
        own = judged[judged["score"] == name]
        outcome, probability = own["converted"].to_numpy(dtype=bool), own["probability"].to_numpy(dtype=np.float64)
        measured = {metric: measure(outcome, probability) for metric, measure in METRICS.items()}
        measured["auc"] = quality.auc_within(outcome, probability, own["quarter_start"])
        for metric, one in measured.items():
            found.append(
                {
                    "model": f"lead_score_{name}",
                    "scope": facts.definition,
                    "metric": metric,
                    "value": one.value,
                    "value_low": one.low,
                    "value_high": one.high,
                    "case_count": len(own),
                    "window_start": judged["quarter_start"].min().date(),
                    "window_end": min(end.date(), facts.as_of.date()),
                }
            )
    return found


def _drift(facts: Facts, model: Fitted) -> list[dict[str, Any]]:
    """Completeness and stability of each feature that the last model uses, by quarter."""
    starts, quarter = np.unique(facts.journeys["quarter_start"].to_numpy(), return_inverse=True)
    size = np.bincount(quarter)
    rows = []
    for name in (*model.design.counts, *model.design.levels):
        column = facts.features[name]
        known = np.bincount(quarter, weights=column.notna().to_numpy(dtype=np.float64)) / size
        cell = quality.cells(column)
        counts = np.zeros((len(starts), int(cell.max()) + 1))
        np.add.at(counts, (quarter, cell), 1)
        for number, start in enumerate(starts):
            index = quality.stability(counts[:number].sum(axis=0), counts[number])
            rows.append(
                {
                    "feature": name,
                    "usage": "used",
                    "reason": None,
                    "quarter_start": pd.Timestamp(start).date(),
                    "case_count": int(size[number]),
                    "known_share": float(known[number]),
                    "psi": index[0] if index else None,
                    "psi_noise": index[1] if index else None,
                }
            )
    return rows
