{%- set definition = ['conversion_definition', 'definition_version', 'scope_region', 'scope_product_line'] -%}
{%- set cohort = definition + ['cohort_month'] -%}

with cohort_count as (

    select * from {{ ref('int_conversion__cohort_count') }}

),

-- The calendar lends the numbers 1, 2, 3 ...: it has far more days than a cohort has periods.
period as (

    select row_number() over (order by date_day) as period_number
    from {{ ref('dim_date') }}

),

-- A cohort too young for its first period is shown with it, without a rate.
age as (

    select
        cohort.{{ cohort | join(', cohort.') }},
        period.period_number
    from (
        select
            {{ cohort | join(', ') }},
            max(completed_periods) as completed_periods
        from cohort_count
        group by {{ cohort | join(', ') }}
    ) as cohort
    inner join period on greatest(cohort.completed_periods, 1) >= period.period_number

),

counted as (

    select
        age.{{ cohort | join(', age.') }},
        age.period_number,
        cohort_count.conversion_name,
        cohort_count.minimum_volume,
        cohort_count.is_over,
        cast(sum(entries) as bigint) as entered,
        cast(sum(case when completed_periods >= period_number then entries else 0 end) as bigint) as mature_entered,
        cast(sum(
            case when completed_periods >= period_number and periods_to_convert <= period_number then entries else 0 end
        ) as bigint) as converted
    from age
    inner join cohort_count
        on
        {%- for column in cohort %}
            {{ 'and ' if not loop.first }}age.{{ column }} = cohort_count.{{ column }}
        {%- endfor %}
    group by
        age.{{ cohort | join(', age.') }},
        age.period_number,
        cohort_count.conversion_name,
        cohort_count.minimum_volume,
        cohort_count.is_over

),

rated as (

    select
        counted.*,
        cast({{ dbt.dateadd('month', -1, 'cohort_month') }} as date) as prior_month,
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
    prior.rate as prior_rate,
    rated.rate - prior.rate as rate_change,
    {{ leadlag.difference_low('rated.rate', 'rated.rate_low', 'prior.rate', 'prior.rate_high') }} as rate_change_low,
    {{ leadlag.difference_high('rated.rate', 'rated.rate_high', 'prior.rate', 'prior.rate_low') }} as rate_change_high
from rated
left join rated as prior
    on
    {%- for column in definition %}
        rated.{{ column }} = prior.{{ column }} and
    {%- endfor %}
        rated.prior_month = prior.cohort_month
        and rated.period_number = prior.period_number
        and rated.is_complete
        and prior.is_complete
