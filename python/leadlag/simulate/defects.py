"""Row-level defects: rows that a loader or a careless person leaves, each noted in truth.defect.

Which rows are spoiled depends on hashes of row numbers that do not change with `until`. Rows that could change a
person's history are added beside the true ones, never put in their place, so that the truth stays what it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadlag.simulate.arrays import (
    DAY,
    HOUR,
    SECOND,
    Bools,
    Floats,
    Ints,
    constant,
    dates,
    flags,
    integers,
    numbers,
    pick,
    salesforce_id,
    synced,
    times,
    uniform_hash,
)
from leadlag.simulate.hubspot.contacts import PROPERTIES, VALUES, History, history_key
from leadlag.simulate.hubspot.ids import CONTACT_SLOTS, contact_number
from leadlag.simulate.journeys import CORRECTION_SLOT, DELETED_DEAL_SLOT, LEAD_SLOTS, OPPORTUNITY_SLOTS
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import Tables, lead_id, rep_id
from leadlag.simulate.salesforce.leads import LEAD_STATUSES, Leads, Statuses
from leadlag.simulate.settings import TEXT_LIMIT
from leadlag.simulate.tables import SCHEMAS, build
from leadlag.simulate.web import Rendered

_UNREADABLE = ("yesterday", "31/02/2024 14:75", "2024-13-05T10:00:00+01:00", "n/a", "20240305")
_FUTURE = "2087-01-01T00:00:00.000+00:00"
_LONG = "Working - Contacted; " + "call again after the holidays, ask for the new budget; " * 6
_LEAST = 8
assert len(_LONG) > TEXT_LIMIT


def _hit(chunk: Chunk, keys: Ints, salt: int, rate: float, total: int) -> Bools:
    """Rows to spoil: the share `rate`, raised for small runs so that every class occurs."""
    if chunk.index == 0 and chunk.settings.leads >= 500:
        rate = max(rate, _LEAST / max(total, 1))
    return uniform_hash(keys, salt) < rate


def spoil_text_times(chunk: Chunk, name: str, rendered: Rendered, key_column: str, time_column: str, salt: int) -> Any:
    """Spoil times written as text, lose keys, and repeat rows of a table of events."""
    table, keys = rendered.table, rendered.keys
    taken = np.zeros(len(keys), dtype=np.bool_)

    def draw(defect: str, number: int, rate: float) -> Bools:
        nonlocal taken
        chosen = _hit(chunk, keys, salt + number, rate, rendered.total) & ~taken
        taken = taken | chosen
        return chosen if chunk.settings.plants(defect) else np.zeros(len(keys), dtype=np.bool_)

    unreadable = draw("malformed_timestamp", 0, 0.0006)
    empty = draw("malformed_timestamp", 1, 0.0003)
    future = draw("future_timestamp", 2, 0.0004)
    keyless = draw("missing_key", 3, 0.0003)
    twice = draw("duplicate_row", 4, 0.0010)
    key = table.column(key_column).combine_chunks()

    def note(defect: str, rows: Bools, expected: str, identifiers: bool = True) -> None:
        chosen = pa.array(rows)
        listed = key.filter(chosen) if identifiers else None
        chunk.log.add(defect, name, listed, expected, rendered.person[rows], rendered.recorded[rows])

    note("malformed_timestamp", unreadable, "unparseable_timestamp")
    note("malformed_timestamp", empty, "missing_timestamp")
    note("future_timestamp", future, "future_timestamp")
    note("missing_key", keyless, "missing_key", identifiers=False)
    note("duplicate_row", twice, "duplicate_row")
    moment = table.column(time_column).combine_chunks()
    bad = pick(_UNREADABLE, keys[unreadable] % len(_UNREADABLE))
    moment = pc.replace_with_mask(moment, pa.array(unreadable), bad)
    moment = pc.if_else(pa.array(future), _FUTURE, moment)
    moment = pc.if_else(pa.array(empty), None, moment)
    table = table.set_column(table.schema.get_field_index(time_column), time_column, moment)
    table = table.set_column(
        table.schema.get_field_index(key_column), key_column, pc.if_else(pa.array(keyless), None, key)
    )
    table = table.cast(SCHEMAS[name])
    copies = table.filter(pa.array(twice))
    loaded = times(synced(rendered.recorded[twice] + DAY))
    copies = copies.set_column(copies.schema.get_field_index("_loaded_at"), "_loaded_at", loaded)
    return pa.concat_tables([table, copies])


_STATUS_CLASSES = (
    ("text_too_long", "text_too_long", 0.0008),
    ("invalid_text", "invalid_text", 0.0008),
    ("unmapped_status", "unmapped_status", 0.0010),
    ("missing_key", "missing_key", 0.0006),
    ("orphan_reference", "orphan_reference", 0.0010),
    ("duplicate_row", "duplicate_row", 0.0020),
)


def spoil_lead_history(chunk: Chunk, table: Any, leads: Leads, statuses: Statuses) -> Any:
    """Rows added to lead_history after the last true one of a lead."""
    first = np.r_[True, statuses.lead[1:] != statuses.lead[:-1]] if len(statuses.lead) else np.zeros(0, np.bool_)
    last = np.r_[first[1:], True] if len(first) else first
    rows = np.flatnonzero(last & ~first)
    keys = leads.key[statuses.lead[rows]] + chunk.people.number[0] * LEAD_SLOTS
    taken = np.zeros(len(rows), dtype=np.bool_)
    parts = [table]
    for number, (defect, expected, rate) in enumerate(_STATUS_CLASSES):
        chosen = _hit(chunk, keys, 500 + number, rate, len(rows)) & ~taken
        taken |= chosen
        if not chunk.settings.plants(defect):
            continue
        at = rows[chosen]
        repeats = defect == "duplicate_row"
        moment = statuses.time[at] + (0 if repeats else 3 * HOUR + number * SECOND)
        kept = chunk.known(moment)
        at, moment = at[kept], moment[kept]
        person = chunk.people.number[leads.person[statuses.lead[at]]]
        key = person * LEAD_SLOTS + leads.slot[statuses.lead[at]]
        count = len(at)
        identifier = salesforce_id("017", key * 64 + (statuses.event[at] if repeats else 56 + number))
        new = pick(LEAD_STATUSES, statuses.status[at])
        if defect == "text_too_long":
            new = constant(_LONG, count, pa.string())
        elif defect == "invalid_text":
            new = constant("Working \ufffd Contacted", count, pa.string())
        elif defect == "unmapped_status":
            new = constant("Parked by phone", count, pa.string())
        target = lead_id(key)
        if defect == "missing_key":
            target = pa.nulls(count, pa.string())
        elif defect == "orphan_reference":
            target = salesforce_id("00Q", key + np.int64(62**8))
        parts.append(
            build(
                "salesforce.lead_history",
                count,
                {
                    "id": identifier,
                    "lead_id": target,
                    "field": constant("Status", count, pa.string()),
                    "old_value": pick(LEAD_STATUSES, statuses.status[at - 1] if repeats else statuses.status[at]),
                    "new_value": new,
                    "data_type": constant("EnumOrPicklist", count, pa.string()),
                    "created_date": times(moment),
                    "created_by_id": rep_id(chunk.people.sdr[leads.person[statuses.lead[at]]]),
                    "is_deleted": constant(False, count, pa.bool_()),
                    "_fivetran_synced": times(synced(moment + (DAY if repeats else 0))),
                },
            )
        )
        mine = None if defect in ("missing_key", "orphan_reference") else person
        chunk.log.add(defect, "salesforce.lead_history", identifier, expected, mine, moment)
    return pa.concat_tables(parts)


_PROPERTY_CLASSES = (
    *_STATUS_CLASSES,
    ("future_timestamp", "future_timestamp", 0.0006),
    ("malformed_timestamp", "missing_timestamp", 0.0006),
)


def spoil_property_history(chunk: Chunk, table: Any, history: History) -> Any:
    """Rows added to contact_property_history; `history_key` names them in truth.defect."""
    rows = np.flatnonzero((history.name == 1) & (history.slot == 0))
    keys = (chunk.people.number[history.person[rows]] * CONTACT_SLOTS) * 64 + history.value[rows]
    taken = np.zeros(len(rows), dtype=np.bool_)
    parts = [table]
    for number, (defect, expected, rate) in enumerate(_PROPERTY_CLASSES):
        chosen = _hit(chunk, keys, 520 + number, rate, len(rows)) & ~taken
        taken |= chosen
        if not chunk.settings.plants(defect):
            continue
        at = rows[chosen]
        repeats = defect == "duplicate_row"
        recorded = history.time[at] + (0 if repeats else 4 * HOUR + number * SECOND)
        kept = chunk.known(recorded)
        at, recorded = at[kept], recorded[kept]
        count = len(at)
        person = chunk.people.number[history.person[at]]
        contact = contact_number(person)
        moment = recorded + (400 * DAY if defect == "future_timestamp" else 0)
        value = pick(VALUES, history.value[at])
        if defect == "text_too_long":
            value = constant(_LONG, count, pa.string())
        elif defect == "invalid_text":
            value = constant("IN\ufffdPROGRESS", count, pa.string())
        elif defect == "unmapped_status":
            value = constant("WAITING_FOR_BUDGET", count, pa.string())
        if defect == "orphan_reference":
            contact = contact + 5_000_000_000_000
        with_key = np.full(count, defect != "missing_key")
        dated = np.full(count, expected != "missing_timestamp")
        identifier = history_key(contact, history.name[at], moment, dated) if with_key.all() else None
        parts.append(
            build(
                "hubspot.contact_property_history",
                count,
                {
                    "contact_id": integers(contact, with_key),
                    "name": pick(PROPERTIES, history.name[at]),
                    "value": value,
                    "timestamp": times(moment, dated),
                    "source": constant("CRM_UI", count, pa.string()),
                    "_fivetran_synced": times(synced(recorded + (DAY if repeats else 0))),
                },
            )
        )
        mine = None if defect in ("missing_key", "orphan_reference") else person
        chunk.log.add(defect, "hubspot.contact_property_history", identifier, expected, mine, recorded)
    return pa.concat_tables(parts)


def add_junk_deals(chunk: Chunk, tables: Tables) -> None:
    """Opportunities that are not business: bookings below zero that correct another one, and deleted entries.

    They have no contact role, so nobody's journey depends on them.
    """
    deals = chunk.deals
    keys = chunk.people.number[deals.person] * OPPORTUNITY_SLOTS + deals.slot
    for defect, expected, slot, rate in (
        ("negative_amount", "negative_amount", CORRECTION_SLOT, 0.004),
        ("deleted_record", "deleted_in_source", DELETED_DEAL_SLOT, 0.002),
    ):
        chosen = _hit(chunk, keys, 560 + slot, rate, len(keys)) & deals.crm & chunk.settings.plants(defect)
        _, first = np.unique(deals.person[chosen], return_index=True)
        rows = np.flatnonzero(chosen)[first]
        rows = rows[chunk.known(deals.created[rows] + 2 * HOUR)]
        moment = deals.created[rows] + 2 * HOUR
        number = chunk.people.number[deals.person[rows]] * OPPORTUNITY_SLOTS + slot
        amount = np.asarray(1_000.0 + (number % 97) * 50.0, dtype=np.float64)
        identifier, history = _junk_deal(
            chunk, tables, rows, number, moment, -amount if slot == CORRECTION_SLOT else amount
        )
        chunk.log.add(defect, "salesforce.opportunity", identifier, expected, None, moment)
        if slot == CORRECTION_SLOT:
            chunk.log.add(defect, "salesforce.opportunity_history", history, expected, None, moment)


def _junk_deal(chunk: Chunk, tables: Tables, rows: Ints, number: Ints, moment: Ints, amount: Floats) -> tuple[Any, Any]:
    """Add opportunities and, unless they were deleted, their first history row; returns the ids of both."""
    count = len(rows)
    deleted = bool(count) and bool((number % OPPORTUNITY_SLOTS == DELETED_DEAL_SLOT).all())
    identifier = salesforce_id("006", number)
    history = salesforce_id("008", number * 256)
    shared = {
        "amount": numbers(amount),
        "currency_iso_code": constant("EUR", count, pa.string()),
        "probability": constant(20.0, count, pa.float64()),
        "stage_name": constant("Qualification", count, pa.string()),
        "forecast_category": constant("Pipeline", count, pa.string()),
        "close_date": dates(moment + 30 * DAY),
        "is_deleted": constant(deleted, count, pa.bool_()),
        "created_date": times(moment),
        "system_modstamp": times(moment),
        "_fivetran_synced": times(synced(moment)),
    }
    deal = shared | {
        "id": identifier,
        "owner_id": rep_id(chunk.people.ae[chunk.deals.person[rows]]),
        "name": constant("Test, please ignore" if deleted else "Correction", count, pa.string()),
        "type": constant("Existing Business", count, pa.string()),
        "is_closed": constant(False, count, pa.bool_()),
        "is_won": constant(False, count, pa.bool_()),
        "last_modified_date": times(moment),
    }
    _add(tables, "salesforce.opportunity", count, deal)
    if not deleted:
        _add(tables, "salesforce.opportunity_history", count, shared | {"id": history, "opportunity_id": identifier})
    return identifier, history


def _add(tables: Tables, name: str, count: int, columns: dict[str, Any]) -> None:
    tables[name] = pa.concat_tables([tables[name], build(name, count, columns)])


def delete_tasks(chunk: Chunk, tables: Tables) -> None:
    """Mark a few tasks as deleted in the source: they must not count as activities."""
    table = tables["salesforce.task"]
    identifiers = table.column("id").combine_chunks()
    created = table.column("created_date").combine_chunks().cast(pa.int64()).to_numpy(zero_copy_only=False)
    recorded = np.asarray(created // 1_000, dtype=np.int64)
    chosen = (uniform_hash(recorded, 571) < 0.002) & chunk.settings.plants("deleted_record")
    tables["salesforce.task"] = table.set_column(
        table.schema.get_field_index("is_deleted"), "is_deleted", flags(chosen)
    )
    listed = identifiers.filter(pa.array(chosen))
    chunk.log.add("deleted_record", "salesforce.task", listed, "none", None, recorded[chosen])
