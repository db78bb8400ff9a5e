with compared as (

    select
        period.entity,
        period.source_system,
        period.source_table,
        period.health_rule,
        setting.minimum_periods,
        setting.minimum_rows,
        setting.minimum_change,
        setting.warn_above,
        setting.fail_above,
        min(case when period.period_number = 0 then period.first_day end) as observed_from,
        max(case when period.period_number = 0 then period.last_day end) as observed_until,
        count(case when period.period_number > 0 and period.day_count = setting.period_days then 1 end) as period_count,
        coalesce(sum(case when period.period_number = 0 then period.part_count end), 0) as recent_parts,
        coalesce(sum(case when period.period_number = 0 then period.whole_count end), 0) as recent_rows,
        coalesce(sum(case when period.period_number > 0 then period.part_count end), 0) as history_parts,
        coalesce(sum(case when period.period_number > 0 then period.whole_count end), 0) as history_rows
    from {{ ref('int_integrity__health_period') }} as period
    inner join {{ ref('int_integrity__health_setting') }} as setting
        on
            period.entity = setting.entity
            and period.source_system = setting.source_system
            and period.source_table = setting.source_table
            and period.health_rule = setting.health_rule
    where period.health_rule in ('missing_touchpoint', 'without_owner', 'without_lead_source', 'without_utm', 'quarantined')
    group by
        period.entity, period.source_system, period.source_table, period.health_rule,
        setting.minimum_periods, setting.minimum_rows, setting.minimum_change, setting.warn_above, setting.fail_above

),

-- Two shares are held against each other with the scatter of both; half a row more of each kind keeps a share of exactly
-- none or all from having no scatter.
scattered as (

    select
        compared.*,
        history_parts / {{ leadlag.double('nullif(history_rows, 0)') }} as history_share,
        (history_parts + {{ leadlag.double('0.5') }}) / (history_rows + 1) as smoothed_share
    from compared
    where recent_rows + history_rows > 0

),

judged as (

    select
        scattered.*,
        sqrt(
            smoothed_share * (1 - smoothed_share)
            * (1 / {{ leadlag.double('greatest(recent_rows, 1)') }} + 1 / {{ leadlag.double('greatest(history_rows, 1)') }})
        ) as scatter,
        recent_rows >= minimum_rows and history_rows >= minimum_rows and period_count >= minimum_periods as is_judged
    from scattered

)

select
    entity,
    source_system,
    source_table,
    health_rule,
    recent_parts / {{ leadlag.double('nullif(recent_rows, 0)') }} as observed,
    case when is_judged then history_share end as expected,
    {%- for level in ['warn', 'fail'] %}
    case
        when is_judged and {{ level }}_above is not null
            then history_share + greatest(minimum_change, {{ level }}_above * scatter)
    end as {{ level }}_limit,
    {%- endfor %}
    observed_from,
    observed_until,
    recent_rows,
    history_rows
from judged
