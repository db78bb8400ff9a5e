-- Records of a trial in the order of their delivery, with the log-likelihood ratio of twice the tolerated share against that share.
with numbered as (

    select
        trial.trial,
        record.delivered_at,
        record.is_duplicate,
        record.is_invalid,
        {{ leadlag.double('trial.maximum_duplicate_share') }} as duplicate_limit,
        {{ leadlag.double('trial.maximum_invalid_share') }} as invalid_limit,
        count(*) over trial_order as record_number,
        count(case when record.is_duplicate then 1 end) over trial_order as duplicates,
        count(case when record.is_invalid then 1 end) over trial_order as invalids
    from {{ ref('vendor_trial') }} as trial
    inner join {{ ref('int_closed_loop__record') }} as record
        on trial.vendor = record.vendor and trial.start_date <= record.delivered_date
    window trial_order as (
        partition by trial.trial
        order by record.delivered_at, record.lead_record_key, record.source_id
        rows between unbounded preceding and current row
    )

)

select
    trial,
    record_number,
    delivered_at,
    is_duplicate,
    is_invalid,
    {%- for part in ['duplicate', 'invalid'] %}
    {{ part }}s * ln({{ leadlag.double('2') }})
    + (record_number - {{ part }}s) * ln((1 - 2 * {{ part }}_limit) / (1 - {{ part }}_limit))
        as {{ part }}_log_ratio{{ ',' if not loop.last }}
    {%- endfor %}
from numbered
