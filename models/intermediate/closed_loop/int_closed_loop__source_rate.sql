with unit as (

    select
        unit.*,
        {%- for stage in ['early', 'late'] %}
        total.{{ stage }}_entries - unit.{{ stage }}_entries as rest_{{ stage }}_entries,
        total.{{ stage }}_conversions - unit.{{ stage }}_conversions as rest_{{ stage }}_conversions,
        {{ leadlag.share('total.' ~ stage ~ '_conversions', 'total.' ~ stage ~ '_entries') }} as pooled_{{ stage }}_rate,
        {%- endfor %}
        count(case when unit.early_entries >= rule.minimum_entries then 1 end) over (
            partition by unit.review, unit.unit_type
        ) as judged_units,
        rule.early_definition,
        rule.late_definition,
        rule.minimum_entries,
        rule.error_probability,
        rule.maximum_duplicate_share,
        rule.maximum_invalid_share,
        rule.maximum_cost_per_late,
        rule.window_days,
        rule.owner,
        clock.as_of_date
    from {{ ref('int_closed_loop__source_count') }} as unit
    inner join {{ ref('int_closed_loop__source_count') }} as total on unit.review = total.review and total.unit_type = 'all'
    inner join {{ ref('source_review_rule') }} as rule on unit.review = rule.review
    cross join {{ ref('int_input__clock') }} as clock
    where unit.unit_type <> 'all'

),

rated as (

    select
        unit.*,
        {%- for stage in ['early', 'late', 'rest_early', 'rest_late'] %}
        {{ leadlag.share(stage ~ '_conversions', stage ~ '_entries') }} as {{ stage }}_rate,
        {{ leadlag.wilson_low(stage ~ '_conversions', stage ~ '_entries') }} as {{ stage }}_rate_low,
        {{ leadlag.wilson_high(stage ~ '_conversions', stage ~ '_entries') }} as {{ stage }}_rate_high,
        {%- endfor %}
        {%- for part in ['duplicate', 'invalid'] %}
        {{ leadlag.share('records_' ~ part, 'records_delivered') }} as {{ part }}_share,
        {{ leadlag.wilson_low('records_' ~ part, 'records_delivered') }} as {{ part }}_share_low,
        {{ leadlag.wilson_high('records_' ~ part, 'records_delivered') }} as {{ part }}_share_high,
        {%- endfor %}
        {{ leadlag.exceeded_quantile('error_probability / (2 * greatest(judged_units, 1))') }} as critical_z
    from unit

),

compared as (

    select
        rated.*,
        {%- for stage in ['early', 'late'] %}
        {%- set rest = 'rest_' ~ stage %}
        ({{ stage }}_rate - {{ rest }}_rate) / nullif(sqrt(
            pooled_{{ stage }}_rate * (1 - pooled_{{ stage }}_rate)
            * ({{ leadlag.double('1') }} / nullif({{ stage }}_entries, 0) + {{ leadlag.double('1') }} / nullif({{ rest }}_entries, 0))
        ), 0) as {{ stage }}_z,
        {{ leadlag.difference_low(stage ~ '_rate', stage ~ '_rate_low', rest ~ '_rate', rest ~ '_rate_high') }}
            as {{ stage }}_difference_low,
        {{ leadlag.difference_high(stage ~ '_rate', stage ~ '_rate_high', rest ~ '_rate', rest ~ '_rate_low') }}
            as {{ stage }}_difference_high,
        {%- endfor %}
        cost_base / nullif(early_conversions, 0) as cost_per_early,
        cost_base / nullif(late_conversions, 0) as cost_per_late
    from rated

)

select * from compared
