"""What a run is asked to do, and the policy that the plan obeys."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from leadlag.simulate.arrays import DAY, HOUR
from leadlag.simulate.clock import milliseconds

PERIOD_YEARS = 3
DEFAULT_START = dt.date(2023, 1, 1)
DEFAULT_LEADS = 4_000
DEFAULT_SEED = 1

# Mirrors seeds/policy (a test compares them): the plan must obey the policy that the project ships.
INQUIRY, MQL, SAL, SQL, OPPORTUNITY, WON, LOST, DISQUALIFIED, RECYCLED = range(1, 10)
STAGES = {
    "inquiry": INQUIRY,
    "mql": MQL,
    "sal": SAL,
    "sql": SQL,
    "opportunity": OPPORTUNITY,
    "won": WON,
    "lost": LOST,
    "disqualified": DISQUALIFIED,
    "recycled": RECYCLED,
}
STAGE_NAMES = {number: name for name, number in STAGES.items()}
MIN_GAP_DAYS = {RECYCLED: 30, LOST: 90, DISQUALIFIED: 90, WON: 90}
AUTHORITY_TOLERANCE = 24 * HOUR
TEXT_LIMIT = 255

# Every class of planted defect, with its meaning.
DEFECTS = {
    "duplicate_record": "a second CRM lead of the same person, e-mail in another spelling",
    "merge_chain": "old records merged into a second and that into a third",
    "shared_mailbox": "several persons behind info@ or sales@",
    "junk_email": "text that is no address, typed by many: n/a, none",
    "shared_device": "one browser used by two persons",
    "conflicting_status": "the system without authority reports a stage at another time, or one that never was",
    "backward_stage": "a status or an opportunity stage set back",
    "skipped_stage": "no accepted status between marketing-qualified and sales-qualified",
    "conversion_before_entry": "an opportunity booked as won before the person's first inquiry",
    "late_arrival": "an event that arrives days after it happened",
    "malformed_timestamp": "a time that is text nobody can read, or no time at all",
    "future_timestamp": "a time long after the row was loaded",
    "missing_key": "a row without its key or without a reference to a record",
    "orphan_reference": "a row of a record that does not exist",
    "duplicate_row": "the same row twice, as a history-mode loader leaves it",
    "negative_amount": "an amount below zero",
    "text_too_long": "a status that swallowed the next column",
    "invalid_text": "a status with characters lost in a wrong encoding",
    "deleted_record": "a record deleted in its source",
    "missing_utm": "a paid or mailed link whose UTM parameters were lost",
    "unmapped_status": "a status that status_map does not know (stops a build unless it may be quarantined)",
}
# With the project's defaults an unmapped status stops dbt, so it is planted only when asked for by name.
DEFAULT_DEFECTS = frozenset(DEFECTS) - {"unmapped_status"}


class SimulationError(ValueError):
    """A run that cannot be carried out as asked; the message says what to change."""


@dataclass(frozen=True)
class Settings:
    """Parameters of one simulated company.

    Attributes:
        leads: number of persons who make themselves known over three years.
        seed: the same seed gives the same company, whatever `until` and `defects`.
        until: last recorded instant, milliseconds UTC, inclusive.
        start: first day of the period, days since 1970-01-01.
        days: length of the period.
        defects: classes of defects to plant.
    """

    leads: int
    seed: int
    until: int
    start: int
    days: int
    defects: frozenset[str]

    @property
    def begin(self) -> int:
        """First instant of the period, milliseconds UTC."""
        return self.start * DAY

    @property
    def end(self) -> int:
        """Last instant of the period, milliseconds UTC."""
        return (self.start + self.days) * DAY - 1000

    def plants(self, defect: str) -> bool:
        """Whether rows of a defect class are written."""
        return defect in self.defects


def parse_defects(value: str) -> frozenset[str]:
    """Read `all`, `none` or a comma-separated list of defect classes (`all` may be part of the list).

    Raises:
        SimulationError: a class that does not exist.
    """
    chosen: set[str] = set()
    words = [word.strip() for word in value.split(",") if word.strip()]
    for word in words:
        if word == "all":
            chosen |= DEFAULT_DEFECTS
        elif word == "none":
            if len(words) > 1:
                raise SimulationError("--defects none cannot be combined with other classes")
        elif word in DEFECTS:
            chosen.add(word)
        else:
            raise SimulationError(
                f"--defects: there is no class {word!r}; use all, none or a list of: {', '.join(DEFECTS)}"
            )
    if not words:
        raise SimulationError("--defects: name at least one class, or all, or none")
    return frozenset(chosen)


def parse_until(value: str) -> int:
    """Read a date (its last second) or an ISO 8601 time (UTC unless it has an offset) as milliseconds UTC.

    Raises:
        SimulationError: the text is neither.
    """
    try:
        if len(value) == len("2025-12-31"):
            day = dt.date.fromisoformat(value)
            return milliseconds(dt.datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=dt.UTC))
        return milliseconds(dt.datetime.fromisoformat(value))
    except ValueError:
        raise SimulationError(
            f"--until: {value!r} is neither a date (2025-06-30) nor a time (2025-06-30T12:00:00)"
        ) from None


def make_settings(
    leads: int = DEFAULT_LEADS,
    seed: int = DEFAULT_SEED,
    until: str | None = None,
    start: str | None = None,
    defects: str = "all",
) -> Settings:
    """Check the options of a run.

    Args:
        leads: persons, at least 10.
        seed: 0 or more.
        until: date or time in the period; the end of the period when None.
        start: first day of the three years; 2023-01-01 when None.
        defects: see `parse_defects`.

    Raises:
        SimulationError: an option out of range, with what is allowed.
    """
    if leads < 10:
        raise SimulationError(f"--leads: {leads} is too few; give at least 10")
    if seed < 0:
        raise SimulationError(f"--seed: {seed} is negative; give 0 or more")
    try:
        first = dt.date.fromisoformat(start) if start else DEFAULT_START
        last = first.replace(year=first.year + PERIOD_YEARS)
    except ValueError:
        raise SimulationError(f"--start: {start!r} is not a date like 2023-01-01 (29 February is none)") from None
    if not 2001 <= first.year <= 2040:
        raise SimulationError(f"--start: {first} is outside 2001 to 2040")
    day = (first - dt.date(1970, 1, 1)).days
    settings = Settings(leads, seed, 0, day, (last - first).days, parse_defects(defects))
    moment = settings.end if until is None else parse_until(until)
    if not settings.begin < moment <= settings.end:
        raise SimulationError(
            f"--until: {until} is outside the simulated period {first} to {last - dt.timedelta(days=1)}; "
            "choose a time in it, or another --start"
        )
    return Settings(leads, seed, moment, day, (last - first).days, settings.defects)
