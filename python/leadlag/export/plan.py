"""What an export has to say: which conversions are new to a platform, and which of those it knows have changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

SEND, RESTATE, RETRACT = "send", "restate", "retract"

# Ids of clicks come from landing pages, where anybody can write anything: only these are passed on, and no spreadsheet takes them
# for a formula.
CLICK_ID = re.compile(r"[A-Za-z0-9._-]{1,512}")

# Why a conversion that was told no longer may be known. The others (value_unknown, conversion_too_old) say nothing about it.
WITHDRAWN = {"click_too_old", "consent_denied", "consent_unmapped", "consent_not_recorded"}


@dataclass(frozen=True)
class Conversion:
    """A milestone of a journey as a platform is told of it.

    Attributes:
        key: offline_conversion_key.
        clicked_at, reached_at: UTC, without zone.
        value: in `currency`; None for a conversion without a value.
    """

    key: int
    milestone: str
    name: str
    click_id: str
    clicked_at: datetime
    reached_at: datetime
    value: Decimal | None
    currency: str | None


@dataclass(frozen=True)
class Candidate:
    """A row of offline_conversion: a conversion, and why it is not exported (None: it is)."""

    conversion: Conversion
    exclusion: str | None


@dataclass(frozen=True)
class Entry:
    """A row of an export.

    Attributes:
        action: send, restate (the value of the conversion is the new one) or retract.
        conversion: as it was sent, by which the platform knows it; value and currency as they are from now on.
        reason: why it is restated or retracted.
    """

    action: str
    conversion: Conversion
    reason: str | None = None


@dataclass(frozen=True)
class Plan:
    """Entries of an export, and what a reader has to be told besides."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]

    def count(self, action: str) -> int:
        return sum(entry.action == action for entry in self.entries)


def present_state(entries: Sequence[Entry]) -> dict[int, Entry]:
    """Key -> the last that a platform was told of a conversion; entries in the order of their exports."""
    return {entry.conversion.key: entry for entry in entries}


def _change(told: Conversion, candidate: Candidate | None) -> tuple[Entry | None, str | None]:
    """What to say of a conversion that the platform knows: an entry, a note, or neither."""
    if candidate is None:
        return Entry(RETRACT, told, "no_longer_reached"), None
    if candidate.exclusion in WITHDRAWN:
        return Entry(RETRACT, told, candidate.exclusion), None
    now = candidate.conversion
    moved = [
        name
        for name, before, after in (
            ("time", told.reached_at, now.reached_at),
            ("click id", told.click_id, now.click_id),
            ("name", told.name, now.name),
        )
        if before != after
    ]
    note = f"{told.key}: its {' and '.join(moved)} changed; the platform keeps the first" if moved else None
    if now.value is not None and (now.value, now.currency) != (told.value, told.currency):
        return Entry(RESTATE, replace(told, value=now.value, currency=now.currency), "value_changed"), note
    return None, note


def plan(candidates: Sequence[Candidate], told: Sequence[Entry], milestones: Mapping[str, object]) -> Plan:
    """What the next export of a platform says.

    Args:
        candidates: rows of offline_conversion of the platform.
        told: entries of all its earlier exports, in order.
        milestones: those that the policy exports to the platform now. What was told under a rule that is gone stays as it is.
    """
    state = present_state(told)
    found = {candidate.conversion.key: candidate for candidate in candidates}
    entries, notes = [], []
    for key, last in sorted(state.items()):
        if last.action == RETRACT:
            if key in found and found[key].exclusion is None:
                notes.append(f"{key}: was withdrawn before, so the platform would ignore it; not sent again")
        elif last.conversion.milestone in milestones:
            entry, note = _change(last.conversion, found.get(key))
            entries += [entry] if entry else []
            notes += [note] if note else []
    for key, candidate in sorted(found.items()):
        if key in state or candidate.exclusion is not None:
            continue
        if CLICK_ID.fullmatch(candidate.conversion.click_id):
            entries.append(Entry(SEND, candidate.conversion))
        else:
            notes.append(f"{key}: its click id has characters that no platform writes; not sent")
    return Plan(tuple(entries), tuple(notes))
