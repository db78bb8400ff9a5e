{%- set sides = ['before', 'after'] -%}

with series as (

    select distinct
        series_key,
        kpi,
        version,
        variant,
        period_grain,
        cut_name,
        cut_value,
        statistic,
        effect_periods
    from {{ ref('int_kpi__control_point') }}

)

select
    change.org_change,
    change.changed_on,
    series.*,
    coalesce(side_before.other_changes, side_after.other_changes, 0) as other_changes,
    -- A rate spreads more than the binomial law says: so many times the variance, seen in the moving ranges of both sides.
    greatest(1, coalesce(
        (side_before.dispersion * side_before.dispersion * (side_before.periods - 1)
            + side_after.dispersion * side_after.dispersion * (side_after.periods - 1))
        / nullif(side_before.periods + side_after.periods - 2, 0), 1
    )) as overdispersion,
    {%- for side in sides %}
    side_{{ side }}.first_period_start as {{ side }}_start,
    coalesce(side_{{ side }}.periods, 0) as periods_{{ side }},
    side_{{ side }}.volume as volume_{{ side }},
    case when series.statistic = 'rate' then side_{{ side }}.numerator end as numerator_{{ side }},
    case when series.statistic = 'rate' then side_{{ side }}.denominator end as denominator_{{ side }},
    case
        when series.statistic = 'rate' then side_{{ side }}.numerator / nullif(side_{{ side }}.denominator, 0)
        else side_{{ side }}.mean_value
    end as value_{{ side }},
    side_{{ side }}.variance / side_{{ side }}.periods as error_{{ side }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('int_kpi__control_change') }} as change
inner join series on change.series_key = series.series_key
{%- for side in sides %}
left join {{ ref('int_kpi__control_side') }} as side_{{ side }}
    on
        change.org_change = side_{{ side }}.org_change
        and change.series_key = side_{{ side }}.series_key
        and side_{{ side }}.side = '{{ side }}'
{%- endfor %}
