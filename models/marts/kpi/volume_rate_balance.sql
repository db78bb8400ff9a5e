with value as (

    select
        kpi,
        period_grain,
        period_start,
        next_period_start,
        cut_name,
        cut_value,
        value,
        value_low,
        value_high,
        target,
        is_mature,
        is_reliable
    from {{ ref('fct_kpi') }}
    where variant = 'global' and cut_name in ('total', 'region', 'product_line')

),

pair as (

    select
        balance.volume_kpi,
        balance.rate_kpi,
        volume.period_grain,
        volume.period_start,
        volume.next_period_start,
        volume.cut_name,
        volume.cut_value,
        volume.value as volume,
        volume.target as volume_target,
        rate.value as rate,
        rate.value_low as rate_low,
        rate.value_high as rate_high,
        rate.target as rate_target,
        volume.is_mature and volume.is_reliable and rate.is_mature and rate.is_reliable as is_judged
    from {{ ref('kpi_balance') }} as balance
    inner join value as volume on balance.volume_kpi = volume.kpi
    inner join value as rate
        on
            balance.rate_kpi = rate.kpi
            and volume.period_grain = rate.period_grain
            and volume.period_start = rate.period_start
            and volume.cut_name = rate.cut_name
            and volume.cut_value = rate.cut_value

),

compared as (

    select
        pair.*,
        previous.volume as previous_volume,
        previous.rate as previous_rate,
        case when pair.is_judged and previous.is_judged
            then (pair.volume - previous.volume) / sqrt(pair.volume + previous.volume) end as volume_change_z,
        case when pair.is_judged and previous.is_judged
            then {{ leadlag.difference_high('pair.rate', 'pair.rate_high', 'previous.rate', 'previous.rate_low') }} end as rate_change_high
    from pair
    left join pair as previous
        on
            pair.volume_kpi = previous.volume_kpi
            and pair.rate_kpi = previous.rate_kpi
            and pair.period_grain = previous.period_grain
            and pair.period_start = previous.next_period_start
            and pair.cut_name = previous.cut_name
            and pair.cut_value = previous.cut_value

)

select
    volume_kpi,
    rate_kpi,
    period_grain,
    period_start,
    cut_name,
    cut_value,
    volume,
    previous_volume,
    rate,
    previous_rate,
    volume_target,
    rate_target,
    volume * rate as yield,
    (volume / nullif(volume_target, 0)) * (rate / nullif(rate_target, 0)) as balanced_index,
    volume_change_z,
    rate_change_high,
    volume_change_z > {{ leadlag.normal_quantile() }} and rate_change_high < 0 as is_volume_bought
from compared
