"""The back-test as a picture for a slide: what was forecast and what came, and by how much simple methods err more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from leadlag.cli import CommandError
from leadlag.forecast.backtest import CRM, MODEL, UNCALIBRATED, Judged, Record
from leadlag.forecast.model import day_of

mpl.use("Agg")

from matplotlib import dates
from matplotlib import pyplot as plt

# matplotlib declares no types for it.
_DATES: Any = dates
SUFFIXES = (".png", ".svg")
_INK, _MODEL, _BAND, _OTHER = "#20262e", "#1f5fa8", "#1f5fa8", "#b9c0c9"
_NAMES = {
    MODEL: "leadlag",
    "naive": "last weeks again",
    "seasonal_naive": "last year's weeks",
    "drift": "drift",
    "exponential_smoothing": "exponential smoothing",
    "ets": "ETS, damped trend",
    CRM: "CRM: probability",
}
_WORDS = {"won": "wins", "won_amount": "won amount", "mql": "MQLs", "sql": "SQLs", "opportunity": "opportunities"}


def plot(path: Path, judged: Sequence[Judged], found: Sequence[Record], measure: str = "won", days: int = 91) -> None:
    """Write the picture of a measure and horizon to a .png or .svg file.

    Raises:
        CommandError: another suffix, or nothing of the measure and horizon was judged.
    """
    if path.suffix not in SUFFIXES:
        raise CommandError(f"--plot {path}: only {' and '.join(SUFFIXES)} files are drawn")
    ones = [one for one in judged if (one.measure, one.horizon_days, one.method) == (measure, days, MODEL)]
    kinds = [one for one in found if (one.measure, one.horizon_days) == (measure, days) and one.method != UNCALIBRATED]
    if not ones:
        raise CommandError(f"--plot {path}: no forecast of {days} days of {measure} was judged")
    record = next(one for one in kinds if one.method == MODEL)
    style: Any = {
        "font.family": "DejaVu Sans",
        "font.size": 13,
        "axes.edgecolor": _OTHER,
        "text.color": _INK,
        "svg.hashsalt": "leadlag",
    }
    with plt.rc_context(style):
        figure, (left, right) = plt.subplots(1, 2, figsize=(13.33, 7.5), dpi=144, width_ratios=(1.75, 1))
        _lines(left, ones)
        _bars(right, kinds)
        gain = next((one.gain.value for one in kinds if one.method == MODEL), float("nan"))
        better = f"{100 * abs(gain):.0f} % {'less' if gain >= 0 else 'more'} error than last year's weeks"
        title = f"{_WORDS[measure].capitalize()} in {days // 7} weeks: {better}"
        figure.suptitle(title, x=0.045, y=0.96, ha="left", fontsize=21, weight="bold")
        held = record.coverage.get(0.8)
        told = f"{record.forecasts} forecasts made weekly, each from what was known that day"
        if held is not None:
            told += f"; {100 * held.value:.0f} % of the 80 % intervals held what came"
        figure.text(0.045, 0.875, told, ha="left", va="center", fontsize=14)
        figure.subplots_adjust(left=0.065, right=0.965, top=0.78, bottom=0.1, wspace=0.55)
        plain = {"Date": None} if path.suffix == ".svg" else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata=plain)
        plt.close(figure)


def _lines(axes: Any, ones: Sequence[Judged]) -> None:
    when = [day_of(one.origin) for one in ones]
    banded = [(day, one.intervals[0.8]) for day, one in zip(when, ones, strict=True) if 0.8 in one.intervals]
    if banded:
        low, high = zip(*(ends for _, ends in banded), strict=True)
        axes.fill_between([day for day, _ in banded], low, high, color=_BAND, alpha=0.16, lw=0, label="80 % interval")
    axes.plot(when, [one.expected for one in ones], color=_MODEL, lw=2.4, label="forecast")
    axes.plot(when, [one.actual for one in ones], color=_INK, lw=0, marker="o", ms=4.5, label="what came")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("first day of the forecast")
    locator = _DATES.AutoDateLocator(minticks=4, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(_DATES.ConciseDateFormatter(locator))
    axes.grid(axis="y", color=_OTHER, alpha=0.4, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    axes.legend(frameon=False, loc="upper left", ncols=3, bbox_to_anchor=(-0.02, 1.09), handlelength=1.4)


def _bars(axes: Any, kinds: Sequence[Record]) -> None:
    ordered = sorted(kinds, key=lambda one: -one.wape.value)
    places = range(len(ordered))
    colours = [_MODEL if one.method == MODEL else _OTHER for one in ordered]
    axes.barh(places, [one.wape.value for one in ordered], color=colours, height=0.62)
    for place, one in zip(places, ordered, strict=True):
        bold = "bold" if one.method == MODEL else "normal"
        axes.text(one.wape.value, place, f" {100 * one.wape.value:.0f} %", va="center", weight=bold)
    axes.set_yticks(list(places), [_NAMES[one.method] for one in ordered])
    axes.xaxis.set_visible(False)
    axes.set_xlim(0, 1.15 * max(one.wape.value for one in ordered))
    axes.set_title("error as a share of what came", loc="left", fontsize=13, pad=12)
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    axes.tick_params(length=0)
