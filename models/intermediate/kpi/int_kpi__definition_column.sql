{{ config(materialized='view') }}

-- definition_type: the columns that decide the value, and those by which readers judge it.
{%- set columns = {
    'kpi': [
        ['statistic', 'numerator_measure', 'denominator_measure', 'components', 'weight_scheme'],
        ['kpi_name', 'perspective', 'question', 'formula', 'unit', 'direction', 'indicator_type', 'minimum_volume', 'owner'],
    ],
    'kpi_variant': [['numerator_measure', 'denominator_measure', 'region', 'product_line'], ['reason', 'owner']],
    'conversion_definition': [
        ['from_milestone', 'to_milestone', 'basis', 'window_days', 'time_basis', 'recycled_policy', 'skipped_policy', 'maturity_days'],
        ['conversion_name', 'minimum_volume', 'owner', 'note'],
    ],
} %}

with component as (

    select
        kpi,
        version,
        {{ leadlag.sorted_list("component_kpi || case when exponent < 0 then ' (divides)' else '' end", ', ') }} as components
    from {{ ref('kpi_component') }}
    group by kpi, version

),

kpi as (

    select
        kpi.*,
        kpi.kpi as definition,
        'global' as scope,
        component.components
    from {{ ref('kpi') }} as kpi
    left join component on kpi.kpi = component.kpi and kpi.version = component.version
    where kpi.status <> 'draft'

),

kpi_variant as (

    select
        variant.kpi as definition,
        variant.variant as scope,
        variant.version,
        variant.owner,
        variant.reason,
        variant.numerator_measure,
        variant.denominator_measure,
        variant.region,
        variant.product_line,
        greatest(kpi.valid_from, variant.valid_from) as valid_from
    from {{ ref('kpi_variant') }} as variant
    inner join kpi on variant.kpi = kpi.kpi and variant.version = kpi.version

),

conversion_definition as (

    select
        definition.*,
        definition.conversion_definition as definition,
        definition.scope_region || ' x ' || definition.scope_product_line as scope
    from {{ ref('conversion_definition') }} as definition

)

{% for definition_type, (deciding, others) in columns.items() -%}
{%- set type_loop = loop -%}
{%- for name in deciding + others -%}
select
    '{{ definition_type }}' as definition_type,
    definition,
    scope,
    version,
    owner,
    valid_from,
    '{{ name }}' as column_name,
    {{ 'true' if name in deciding else 'false' }} as is_deciding,
    cast({{ name }} as {{ dbt.type_string() }}) as column_value
from {{ definition_type }}
{{ 'union all' if not (type_loop.last and loop.last) }}
{% endfor -%}
{%- endfor %}
