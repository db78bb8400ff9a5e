"""The upload formats of the advertising platforms.

Google Ads, conversions: CSV with a row `Parameters:TimeZone=`, then Google Click ID, Conversion Name, Conversion Time, Conversion Value,
Conversion Currency (https://support.google.com/google-ads/answer/7014069). Each time has its own offset, which comes before the
zone of the first row, so that the hour which clocks repeat in autumn is not taken for the other. A conversion of the same click,
name and time is counted once. Adjustments: a file of their own, RESTATE or RETRACT, the conversion named by click id, name and time
(https://support.google.com/google-ads/answer/7686280).

Microsoft Advertising, conversions: the same file with Microsoft Click ID. Adjustments: a bulk file with Restate or Retract, times in UTC
(https://learn.microsoft.com/en-us/advertising/bulk-service/offline-conversion). It too counts the same click, name and time once.

LinkedIn: its CSV template asks for e-mail or name and knows no click id
(https://www.linkedin.com/help/lms/answer/a530615), so bodies of POST /rest/conversionEvents with X-RestLi-Method BATCH_CREATE are written,
one a line, up to 5,000 events each: milliseconds, user id type LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID for li_fat_id
(https://learn.microsoft.com/en-us/linkedin/marketing/integrations/ads-reporting/conversions-api-schema).

Meta: bodies of POST /<dataset>/events, one a line, up to 1,000 events each: seconds, fbc = fb.1.<time of the click in ms>.<fbclid>
(https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event and .../parameters/fbp-and-fbc), as events of a
CRM (https://developers.facebook.com/docs/marketing-api/conversions-api/conversion-leads-integration/payload-specification).

LinkedIn and Meta drop an event whose id they have seen, and have no way to change or withdraw one: what would have to be is listed in a
file to be dealt with by hand.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from leadlag.export.plan import RETRACT, SEND, Conversion, Entry

LINKEDIN_BATCH, META_BATCH = 5000, 1000

# Ending of a file's name -> its text.
Files = dict[str, str]


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _instant(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _local(moment: datetime, zone: str) -> str:
    return _instant(moment).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S%z")


def _value(conversion: Conversion) -> tuple[str, str]:
    return ("", "") if conversion.value is None else (f"{conversion.value:.2f}", conversion.currency or "")


def _click_file(click_id: str, entries: Sequence[Entry], zone: str) -> Files:
    """Conversions as Google Ads and Microsoft Advertising read them."""
    if not entries:
        return {}
    head = [click_id, "Conversion Name", "Conversion Time", "Conversion Value", "Conversion Currency"]
    sent = [entry.conversion for entry in entries]
    rows = [[one.click_id, one.name, _local(one.reached_at, zone), *_value(one)] for one in sent]
    return {"conversions.csv": _csv([[f"Parameters:TimeZone={zone}"], head, *rows])}


def _google(sent: Sequence[Entry], changed: Sequence[Entry], as_of: datetime, zone: str) -> Files:
    files = _click_file("Google Click ID", sent, zone)
    if changed:
        head = ["Google Click ID", "Conversion Name", "Conversion Time", "Adjustment Time", "Adjustment Type"]
        rows = []
        for entry in changed:
            one = entry.conversion
            what, value = ("RETRACT", ("", "")) if entry.action == RETRACT else ("RESTATE", _value(one))
            rows.append([one.click_id, one.name, _local(one.reached_at, zone), _local(as_of, zone), what, *value])
        head += ["Adjusted Value", "Adjusted Value Currency"]
        files["adjustments.csv"] = _csv([[f"Parameters:TimeZone={zone}"], head, *rows])
    return files


def _bulk_time(moment: datetime) -> str:
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M:%S} {half}"


def _microsoft(sent: Sequence[Entry], changed: Sequence[Entry], as_of: datetime, zone: str) -> Files:
    files = _click_file("Microsoft Click ID", sent, zone)
    if changed:
        head = ["Type", "Name", "Conversion Name", "Conversion Time", "Microsoft Click Id", "Adjustment Type"]
        head += ["Adjustment Time", "Adjustment Value", "Adjustment Currency Code"]
        rows = [["Format Version", "6.0", *[""] * 7]]
        for entry in changed:
            one = entry.conversion
            what, value = ("Retract", ("", "")) if entry.action == RETRACT else ("Restate", _value(one))
            told = [one.name, _bulk_time(one.reached_at), one.click_id]
            rows.append(["Offline Conversion", "", *told, what, _bulk_time(as_of), *value])
        files["adjustments.csv"] = _csv([head, *rows])
    return files


def _by_hand(changed: Sequence[Entry], zone: str) -> Files:
    if not changed:
        return {}
    head = ["event_id", "conversion_name", "conversion_time", "action", "value", "currency", "reason"]
    rows = [
        [
            *(
                str(entry.conversion.key),
                entry.conversion.name,
                _local(entry.conversion.reached_at, zone),
                entry.action,
            ),
            *(("", "") if entry.action == RETRACT else _value(entry.conversion)),
            entry.reason or "",
        ]
        for entry in changed
    ]
    return {"by_hand.csv": _csv([head, *rows])}


def _batches(name: str, events: Sequence[Mapping[str, Any]], size: int) -> Files:
    starts = range(0, len(events), size)
    lines = [json.dumps({name: events[start : start + size]}, ensure_ascii=False) + "\n" for start in starts]
    return {"events.jsonl": "".join(lines)} if lines else {}


def _linkedin_event(one: Conversion) -> dict[str, Any]:
    amount, currency = _value(one)
    user = {"idType": "LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", "idValue": one.click_id}
    return {
        "conversion": one.name,
        "conversionHappenedAt": int(_instant(one.reached_at).timestamp() * 1000),
        **({"conversionValue": {"currencyCode": currency, "amount": amount}} if amount else {}),
        "eventId": str(one.key),
        "user": {"userIds": [user]},
    }


def _linkedin(sent: Sequence[Entry], changed: Sequence[Entry], _: datetime, zone: str) -> Files:
    events = [_linkedin_event(entry.conversion) for entry in sent]
    return {**_batches("elements", events, LINKEDIN_BATCH), **_by_hand(changed, zone)}


def _meta_event(one: Conversion) -> dict[str, Any]:
    amount, currency = _value(one)
    clicked = int(_instant(one.clicked_at).timestamp() * 1000)
    return {
        "event_name": one.name,
        "event_time": int(_instant(one.reached_at).timestamp()),
        "event_id": str(one.key),
        "action_source": "system_generated",
        "user_data": {"fbc": f"fb.1.{clicked}.{one.click_id}"},
        "custom_data": {
            "event_source": "crm",
            "lead_event_source": "leadlag",
            **({"currency": currency, "value": float(amount)} if amount else {}),
        },
    }


def _meta(sent: Sequence[Entry], changed: Sequence[Entry], _: datetime, zone: str) -> Files:
    events = [_meta_event(entry.conversion) for entry in sent]
    return {**_batches("data", events, META_BATCH), **_by_hand(changed, zone)}


PLATFORMS: dict[str, Callable[[Sequence[Entry], Sequence[Entry], datetime, str], Files]] = {
    "google_ads": _google,
    "microsoft_ads": _microsoft,
    "linkedin_ads": _linkedin,
    "meta_ads": _meta,
}


def render(platform: str, entries: Sequence[Entry], as_of: datetime, zone: str) -> Files:
    """The files of an export; the same entries give the same bytes.

    Args:
        platform: one of PLATFORMS.
        as_of: the clock, UTC: the time of adjustments.
        zone: IANA name of the time zone in which times are written.

    Returns:
        Ending of each file's name -> its text; no files for no entries.
    """
    sent = [entry for entry in entries if entry.action == SEND]
    changed = [entry for entry in entries if entry.action != SEND]
    return PLATFORMS[platform](sent, changed, as_of, zone)
