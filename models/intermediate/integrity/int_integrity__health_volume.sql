with period as (

    select
        period.*,
        setting.history_periods,
        setting.minimum_periods,
        setting.minimum_change,
        setting.warn_above,
        setting.fail_above
    from {{ ref('int_integrity__health_period') }} as period
    inner join {{ ref('int_integrity__health_setting') }} as setting
        on
            period.entity = setting.entity
            and period.source_system = setting.source_system
            and period.source_table = setting.source_table
            and period.health_rule = setting.health_rule
    where
        period.health_rule in ('low_volume_day', 'low_volume_week', 'high_volume_week')
        -- Whole periods only: the first one of a table may have begun in its middle.
        and period.day_count = setting.period_days

),

usual as (

    select
        entity,
        source_system,
        source_table,
        health_rule,
        count(*) as period_count,
        sum(part_count) as history_rows,
        percentile_cont(0.5) within group (order by part_count) as median_rows
    from period
    where period_number > 0
    group by entity, source_system, source_table, health_rule

),

-- Median and median absolute deviation: one outage or one import in the history does not become what is usual. A count
-- scatters by its own root at least, so that a quiet history is no reason to call the next row strange.
spread as (

    select
        usual.entity,
        usual.source_system,
        usual.source_table,
        usual.health_rule,
        usual.period_count,
        usual.history_rows,
        usual.median_rows,
        greatest(
            {{ leadlag.double('1.4826') }} * percentile_cont(0.5) within group (order by abs(period.part_count - usual.median_rows)),
            sqrt(usual.median_rows),
            {{ leadlag.double('1') }}
        ) as spread_rows
    from usual
    inner join period
        on
            usual.entity = period.entity
            and usual.source_system = period.source_system
            and usual.source_table = period.source_table
            and usual.health_rule = period.health_rule
            and period.period_number > 0
    group by
        usual.entity, usual.source_system, usual.source_table, usual.health_rule,
        usual.period_count, usual.history_rows, usual.median_rows

),

-- Where even no row at all would be within the limit there is nothing to judge.
judged as (

    select
        recent.*,
        spread.median_rows,
        spread.spread_rows,
        coalesce(spread.history_rows, 0) as history_rows,
        spread.period_count >= recent.minimum_periods
        and (
            recent.health_rule = 'high_volume_week'
            or spread.median_rows > greatest(recent.minimum_change, recent.warn_above * spread.spread_rows)
        ) as is_judged
    from period as recent
    left join spread
        on
            recent.entity = spread.entity
            and recent.source_system = spread.source_system
            and recent.source_table = spread.source_table
            and recent.health_rule = spread.health_rule
    where recent.period_number = 0

)

select
    entity,
    source_system,
    source_table,
    health_rule,
    {{ leadlag.double('part_count') }} as observed,
    case when is_judged then median_rows end as expected,
    {%- for level in ['warn', 'fail'] %}
    case
        when is_judged and {{ level }}_above is not null
            then
                median_rows
                + case when health_rule = 'high_volume_week' then 1 else -1 end
                * greatest(minimum_change, {{ level }}_above * spread_rows)
    end as {{ level }}_limit,
    {%- endfor %}
    first_day as observed_from,
    last_day as observed_until,
    part_count as recent_rows,
    history_rows
from judged
