{%- set definition = ['conversion_definition', 'definition_version', 'scope_region', 'scope_product_line'] -%}
{%- set cohort = (definition + ['cohort_month']) | join(', ') -%}

with cohort_count as (

    select
        cohort_count.*,
        max(completed_periods) over (partition by {{ cohort }}) as cohort_periods
    from {{ ref('int_conversion__cohort_count') }} as cohort_count

),

-- The calendar lends the numbers 1, 2, 3 ...: it has far more days than a cohort has periods.
period as (

    select row_number() over (order by date_day) as period_number
    from {{ ref('dim_date') }}

),

-- A cohort too young for its first period is shown with it, without a rate.
aged as (

    select
        cohort_count.*,
        period.period_number,
        cohort_count.completed_periods >= period.period_number as is_mature,
        cohort_count.periods_to_convert <= period.period_number as is_converted
    from cohort_count
    inner join period on greatest(cohort_count.cohort_periods, 1) >= period.period_number

),

counted as (

    select
        {{ cohort }},
        conversion_name,
        minimum_volume,
        is_over,
        period_number,
        cast(sum(entries) as bigint) as entered,
        cast(sum(case when is_mature then entries else 0 end) as bigint) as mature_entered,
        cast(sum(case when is_mature and is_converted then entries else 0 end) as bigint) as converted
    from aged
    group by {{ cohort }}, conversion_name, minimum_volume, is_over, period_number

),

rated as (

    select
        counted.*,
        case
            when is_over and mature_entered = entered then cast({{ dbt.dateadd('month', -1, 'cohort_month') }} as date)
        end as previous_month,
        is_over and mature_entered = entered as is_complete,
        {{ leadlag.share('converted', 'mature_entered') }} as rate,
        {{ leadlag.wilson_low('converted', 'mature_entered') }} as rate_low,
        {{ leadlag.wilson_high('converted', 'mature_entered') }} as rate_high
    from counted

)

select
    rated.conversion_definition,
    rated.definition_version,
    rated.scope_region,
    rated.scope_product_line,
    rated.conversion_name,
    rated.cohort_month,
    cast(rated.period_number * 30 as integer) as age_days,
    rated.entered,
    rated.mature_entered,
    rated.converted,
    rated.rate,
    rated.rate_low,
    rated.rate_high,
    rated.is_complete,
    rated.mature_entered >= rated.minimum_volume as is_reliable,
    previous.rate as prior_rate,
    rated.rate - previous.rate as rate_change,
    {{ leadlag.difference_low('rated.rate', 'rated.rate_low', 'previous.rate', 'previous.rate_high') }} as rate_change_low,
    {{ leadlag.difference_high('rated.rate', 'rated.rate_high', 'previous.rate', 'previous.rate_low') }} as rate_change_high
from rated
left join rated as previous
    on
        {%- for column in definition %}
        rated.{{ column }} = previous.{{ column }} and
        {%- endfor %}
        rated.previous_month = previous.cohort_month
        and rated.period_number = previous.period_number
        and previous.is_complete
