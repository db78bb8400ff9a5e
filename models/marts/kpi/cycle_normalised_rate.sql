with entry as (

    select
        conversion.conversion_definition,
        conversion.definition_version,
        rule.cut_name,
        case rule.cut_name
            when 'region' then coalesce(conversion.region, '(not recorded)')
            when 'product_line' then coalesce(conversion.product_line, '(not recorded)')
        end as cut_value,
        rule.cycle_multiple,
        rule.minimum_conversions,
        conversion.entered_date,
        {{ leadlag.business_date('conversion.converted_at') }} as converted_date,
        case when follow_up.ending = 'converted' then follow_up.days_since_entry end as days_to_convert
    from {{ ref('int_conversion__follow_up') }} as follow_up
    inner join {{ ref('fct_conversion') }} as conversion on follow_up.conversion_key = conversion.conversion_key
    inner join {{ ref('cycle_window') }} as rule on conversion.conversion_definition = rule.conversion_definition

),

-- The unit's own cycle as it was known when the quarter began.
cycle as (

    select
        entry.conversion_definition,
        entry.definition_version,
        entry.cut_name,
        entry.cut_value,
        period.period_start,
        period.next_period_start,
        max(entry.cycle_multiple) as cycle_multiple,
        max(entry.minimum_conversions) as minimum_conversions,
        count(*) as earlier_conversions,
        percentile_cont(0.5) within group (order by entry.days_to_convert) as median_days
    from entry
    inner join {{ ref('int_kpi__period') }} as period
        on period.period_grain = 'quarter' and entry.converted_date < period.period_start
    group by
        entry.conversion_definition,
        entry.definition_version,
        entry.cut_name,
        entry.cut_value,
        period.period_start,
        period.next_period_start

),

windowed as (

    select
        cycle.*,
        cast(greatest(ceil({{ leadlag.double('cycle_multiple') }} * median_days), 1) as integer) as window_days
    from cycle
    where earlier_conversions >= minimum_conversions

),

unit_entry as (

    select
        windowed.conversion_definition,
        windowed.definition_version,
        windowed.cut_name,
        windowed.cut_value,
        windowed.period_start,
        windowed.earlier_conversions,
        windowed.median_days,
        windowed.window_days,
        {{ leadlag.days_between('entry.entered_date', 'clock.as_of_date') }} > windowed.window_days as is_over,
        coalesce(entry.days_to_convert < windowed.window_days, false) as is_converted
    from windowed
    inner join entry
        on
            windowed.conversion_definition = entry.conversion_definition
            and windowed.definition_version = entry.definition_version
            and windowed.cut_name = entry.cut_name
            and windowed.cut_value = entry.cut_value
            and windowed.period_start <= entry.entered_date
            and windowed.next_period_start > entry.entered_date
    cross join {{ ref('int_input__clock') }} as clock

),

counted as (

    select
        conversion_definition,
        definition_version,
        cut_name,
        cut_value,
        period_start,
        earlier_conversions,
        median_days,
        window_days,
        count(*) as entered,
        count(case when is_over then 1 end) as denominator,
        count(case when is_over and is_converted then 1 end) as numerator
    from unit_entry
    group by conversion_definition, definition_version, cut_name, cut_value, period_start, earlier_conversions, median_days, window_days

)

select
    conversion_definition,
    definition_version,
    cut_name,
    cut_value,
    period_start as quarter_start,
    earlier_conversions,
    {{ leadlag.double('median_days') }} as median_days,
    window_days,
    entered,
    denominator,
    numerator,
    {{ leadlag.share('numerator', 'denominator') }} as rate,
    {{ leadlag.wilson_low('numerator', 'denominator') }} as rate_low,
    {{ leadlag.wilson_high('numerator', 'denominator') }} as rate_high,
    denominator = entered as is_mature
from counted
