select
    "case:concept:name" as application_id,
    "concept:name" as activity,
    cast(event_no as bigint) as event_number,
    "org:resource" as resource_id,
    cast("case:AMOUNT_REQ" as numeric(18, 2)) as requested_amount,
    cast("time:timestamp" as timestamptz) at time zone 'UTC' as occurred_at,
    "time:timestamp" as occurred_at_raw,
    sum(case when "concept:name" = 'O_SENT' then 1 else 0 end) over (
        partition by "case:concept:name" order by cast(event_no as bigint) rows between unbounded preceding and current row
    ) as offer_number
from {{ source('bpi2012', 'events') }}
