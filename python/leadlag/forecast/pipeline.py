"""What the CRM itself says of its open opportunities: stage probability, and times the amount, as its history had it at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadlag.forecast.journeys import Bools, Floats, Ints, local_days
from leadlag.forecast.model import WON_AMOUNT

# Share of the open opportunities that must have a probability, or an amount, for their sum to be judged.
LEAST_KNOWN = 0.8


@dataclass(frozen=True)
class Pipeline:
    """States of opportunities, ordered by opportunity, time and sequence.

    Attributes:
        opportunity: number of the opportunity. time, known: when it came about and was recorded, in days since 1970.
        probability: of a win, 0 to 1, NaN where the history has none. amount: in base currency, likewise.
        is_closed: whether the opportunity was won or lost.
    """

    opportunity: Ints
    time: Floats
    known: Floats
    probability: Floats
    amount: Floats
    is_closed: Bools

    def expected(self, moment: float) -> dict[str, float]:
        """Probable wins, and their amount, of what was open at a time; without what the history does not have.

        The sum has no date: what close dates said earlier no history keeps. So it is judged as it is used, as the number of each
        coming period, and it knows no opportunities still to come.
        """
        at = np.flatnonzero((self.time < moment) & (self.known < moment))
        last = np.ones(len(at), dtype=bool)
        last[:-1] = self.opportunity[at][1:] != self.opportunity[at][:-1]
        open_ = at[last][~self.is_closed[at][last]]
        if len(open_) == 0:
            return {}
        probability, amount = self.probability[open_], self.amount[open_]
        found = {}
        if np.isfinite(probability).mean() >= LEAST_KNOWN:
            found["won"] = float(np.nansum(probability))
            if np.isfinite(amount).mean() >= LEAST_KNOWN:
                found[WON_AMOUNT] = float(np.nansum(probability * amount))
        return found


def pipeline_of(rows: pd.DataFrame, zone: str) -> Pipeline:
    """States of opportunities.

    Args:
        rows: columns opportunity_key, occurred_at, recorded_at (UTC), event_sequence, probability, amount and is_closed.
        zone: business time zone.
    """
    time = local_days(rows["occurred_at"], zone)
    number = pd.factorize(rows["opportunity_key"])[0].astype(np.int64)
    order = np.lexsort((rows["event_sequence"].fillna(0).to_numpy(dtype=np.float64), time, number))
    probability, amount = (
        rows[name].to_numpy(dtype=np.float64, na_value=np.nan)[order] for name in ("probability", "amount")
    )
    known = np.fmax(local_days(rows["recorded_at"], zone), time)
    closed = rows["is_closed"].fillna(False).to_numpy(dtype=bool)
    return Pipeline(number[order], time[order], known[order], probability, amount, closed[order])
