{%- set keys = ['conversion_definition', 'definition_version', 'scope_region', 'scope_product_line', 'cut_name', 'cut_value'] -%}
{%- set of_converters = leadlag.share('cumulative_incidence', 'incidence_at_end') -%}

{#- Each column is the first day on which a share reaches a percentage. -#}
{%- set first_days = [] -%}
{%- for percent in [25, 50, 75] -%}
    {%- do first_days.append(('entry_p' ~ percent ~ '_days', 'cumulative_incidence', percent / 100)) -%}
    {%- do first_days.append(('entry_p' ~ percent ~ '_days_low', 'coalesce(incidence_high, cumulative_incidence)', percent / 100)) -%}
    {%- do first_days.append(('entry_p' ~ percent ~ '_days_high', 'incidence_low', percent / 100)) -%}
{%- endfor -%}
{%- for percent in [25, 50, 75, 90, 95] -%}
    {%- do first_days.append(('converter_p' ~ percent ~ '_days', of_converters, percent / 100)) -%}
{%- endfor -%}

with curve as (

    select
        time_to_convert.*,
        max(days_since_entry) over (partition by {{ keys | join(', ') }}) as follow_up_days,
        max(cumulative_incidence) over (partition by {{ keys | join(', ') }}) as incidence_at_end,
        -- How many would be followed beyond this day if nobody converted or was lost: Kaplan-Meier with the roles exchanged
        -- (Schemper and Smith 1996), after the day's conversions and losses.
        exp(sum(
            case
                when censored = 0 then 0
                when censored = at_risk - converted - lost then -100
                else ln(1 - {{ leadlag.share('censored', '(at_risk - converted - lost)') }})
            end
        ) over (
            partition by {{ keys | join(', ') }}
            order by days_since_entry
            rows between unbounded preceding and current row
        )) as still_followed
    from {{ ref('time_to_convert') }} as time_to_convert

),

judged as (

    select
        curve.*,
        definition.window_days,
        definition.minimum_volume,
        -- A conversion on day d may take a part of the next day where time is exact.
        curve.days_since_entry + case when definition.time_basis = 'calendar_days' then 0 else 1 end as window_needed
    from curve
    inner join {{ ref('conversion_definition') }} as definition
        on
            curve.conversion_definition = definition.conversion_definition
            and curve.definition_version = definition.version
            and curve.scope_region = definition.scope_region
            and curve.scope_product_line = definition.scope_product_line

),

summary as (

    select
        {{ keys | join(', ') }},
        conversion_name,
        follow_up_days,
        incidence_at_end,
        window_days,
        minimum_volume,
        max(at_risk) as entered,
        cast(sum(converted) as bigint) as converted,
        cast(sum(lost) as bigint) as lost,
        cast(sum(censored) as bigint) as still_open,
        max(case when days_since_entry = follow_up_days then incidence_low end) as incidence_at_end_low,
        max(case when days_since_entry = follow_up_days then incidence_high end) as incidence_at_end_high,
        {#- Doubles differ in the last digits from engine to engine; a share missed by no more than that is reached. #}
        {%- for name, reached, share in first_days %}
        min(case when {{ reached }} >= {{ share }} - 1e-9 then days_since_entry end) as {{ name }},
        {%- endfor %}
        min(case when still_followed <= 0.5 + 1e-9 then days_since_entry end) as half_followed_days,
        min(case when {{ of_converters }} >= {{ var('recommended_window_share', 0.8) }} - 1e-9 then window_needed end) as window_needed,
        max(case when window_needed <= window_days then {{ of_converters }} end) as window_share
    from judged
    group by {{ keys | join(', ') }}, conversion_name, follow_up_days, incidence_at_end, window_days, minimum_volume

)

select
    {{ keys | join(', ') }},
    conversion_name,
    entered,
    converted,
    lost,
    still_open,
    follow_up_days,
    coalesce(half_followed_days, follow_up_days) as median_follow_up_days,
    incidence_at_end,
    incidence_at_end_low,
    incidence_at_end_high,
    {%- for name, reached, share in first_days %}
    {{ name }},
    {%- endfor %}
    window_days,
    case when converted > 0 and window_days is not null then coalesce(window_share, 0) end as window_share,
    case when converted > 0 then cast(ceil(greatest(window_needed, 1) / {{ leadlag.double('30') }}) * 30 as integer) end
        as recommended_window_days,
    coalesce(converter_p95_days <= coalesce(half_followed_days, follow_up_days), false) as follow_up_is_enough,
    entered >= minimum_volume as is_reliable
from summary
