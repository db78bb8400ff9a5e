{%- set definition = ['definition_type', 'definition', 'scope'] -%}

with definition_column as (

    select
        definition_column.*,
        lag(version) over (partition by {{ definition | join(', ') }}, column_name order by version) as previous_version,
        lag(column_value) over (partition by {{ definition | join(', ') }}, column_name order by version) as previous_value
    from {{ ref('int_kpi__definition_column') }} as definition_column

),

compared as (

    select
        definition_column.*,
        coalesce(column_value <> previous_value, (column_value is null) <> (previous_value is null)) as is_changed
    from definition_column
    where previous_version is not null

),

counted as (

    select
        compared.*,
        sum(case when is_changed then 1 else 0 end) over (partition by {{ definition | join(', ') }}, version) as changed_columns,
        row_number() over (partition by {{ definition | join(', ') }}, version order by column_name) as column_number
    from compared

),

-- A new version without a changed column is still a change: of the SQL or of another rule.
change as (

    select
        {% for column in definition %}{{ column }}, {% endfor %}
        version,
        previous_version,
        valid_from,
        owner,
        case when is_changed then column_name else '(none)' end as changed_column,
        is_changed and is_deciding as is_deciding,
        case when is_changed then previous_value end as old_value,
        case when is_changed then column_value end as new_value,
        changed_columns
    from counted
    where is_changed or (changed_columns = 0 and column_number = 1)

),

effect as (

    select
        kpi,
        variant,
        version,
        count(*) as months_compared,
        min(period_start) as first_month,
        max(period_start) as last_month,
        avg(value_before) as mean_before,
        avg(value_after) as mean_after
    from {{ ref('int_kpi__version_effect') }}
    group by kpi, variant, version

)

select
    {% for column in definition %}change.{{ column }}, {% endfor %}
    change.version,
    change.previous_version,
    change.valid_from as changed_on,
    change.owner,
    change.changed_column,
    change.is_deciding,
    change.old_value,
    change.new_value,
    coalesce(effect.months_compared, 0) as months_compared,
    effect.first_month,
    effect.last_month,
    effect.mean_before,
    effect.mean_after,
    effect.mean_after - effect.mean_before as effect,
    case
        when effect.version is not null then null
        when change.definition_type = 'conversion_definition' then 'one version counts each entry: try it with leadlag sandbox'
        when change.changed_columns = 0 then 'no column has changed'
        else 'no month with a final value of both versions'
    end as no_effect_reason
from change
left join effect
    on
        change.definition_type <> 'conversion_definition'
        and change.changed_columns > 0
        and change.definition = effect.kpi
        and change.scope = effect.variant
        and change.version = effect.version
