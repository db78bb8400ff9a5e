-- What had converted by the handoff, there was nothing left to foresee.
select
    conversion.journey_key,
    conversion.conversion_definition,
    conversion.entered_date,
    cast({{ dbt.date_trunc('quarter', 'conversion.entered_date') }} as date) as quarter_start,
    conversion.in_numerator as is_converted,
    conversion.outcome = 'won' as is_won,
    conversion.ended_at is null as is_open,
    coalesce(case when conversion.outcome = 'won' then value.gross_margin end, 0) as gross_margin,
    {{ leadlag.double('handoff.score') }} as rule_score
from {{ ref('fct_conversion') }} as conversion
inner join {{ ref('int_scoring__handoff_score') }} as handoff
    on conversion.journey_key = handoff.journey_key and conversion.entered_at = handoff.handoff_at
left join {{ ref('int_attribution__conversion_value') }} as value on conversion.journey_key = value.journey_key
where conversion.in_denominator and coalesce(conversion.converted_at > conversion.entered_at, true)
