-- depends_on: {{ ref('int_policy__violation') }}
with definition as (

    select
        kpi,
        version,
        'global' as variant,
        '*' as scope_region,
        '*' as scope_product_line,
        statistic,
        numerator_measure,
        denominator_measure,
        coalesce(weight_scheme, '(none)') as weight_scheme,
        minimum_volume,
        valid_from,
        valid_to
    from {{ ref('kpi') }}
    where status <> 'draft'
    union all
    select
        kpi.kpi,
        kpi.version,
        variant.variant,
        variant.region as scope_region,
        variant.product_line as scope_product_line,
        kpi.statistic,
        variant.numerator_measure,
        variant.denominator_measure,
        coalesce(kpi.weight_scheme, '(none)') as weight_scheme,
        kpi.minimum_volume,
        greatest(kpi.valid_from, variant.valid_from) as valid_from,
        least(coalesce(kpi.valid_to, variant.valid_to), coalesce(variant.valid_to, kpi.valid_to)) as valid_to
    from {{ ref('kpi_variant') }} as variant
    inner join {{ ref('kpi') }} as kpi on variant.kpi = kpi.kpi and variant.version = kpi.version
    where kpi.status <> 'draft'

),

-- How long after its period a value may still change: windows that end later, and the day on which sales contacts fall due.
maturity as (

    select
        conversion_definition || '.entered' as measure,
        max(coalesce(window_days, maturity_days, 0)) as days_to_maturity
    from {{ ref('conversion_definition') }}
    group by conversion_definition
    union all
    select
        'mql_due' as measure,
        1 as days_to_maturity

),

-- A product is as late as the latest of its components.
component as (

    select
        component.kpi,
        component.version,
        max(maturity.days_to_maturity) as days_to_maturity
    from {{ ref('kpi_component') }} as component
    inner join definition on component.component_kpi = definition.kpi and definition.variant = 'global'
    inner join maturity on definition.denominator_measure = maturity.measure
    group by component.kpi, component.version

)

select
    definition.*,
    {%- for role in ['numerator', 'denominator'] %}
    case
        when definition.{{ role }}_measure is not null
            then {{ leadlag.key(['definition.' ~ role ~ '_measure', 'scope_region', 'scope_product_line', 'weight_scheme']) }}
    end as {{ role }}_use_key,
    {%- endfor %}
    coalesce(maturity.days_to_maturity, component.days_to_maturity, 0) as days_to_maturity
from definition
left join maturity on definition.denominator_measure = maturity.measure
left join component on definition.kpi = component.kpi and definition.version = component.version
left join {{ ref('int_kpi__known_measure') }} as numerator on definition.numerator_measure = numerator.measure
left join {{ ref('int_kpi__known_measure') }} as denominator on definition.denominator_measure = denominator.measure
where
    (definition.numerator_measure is null or numerator.measure is not null)
    and (definition.denominator_measure is null or denominator.measure is not null)
