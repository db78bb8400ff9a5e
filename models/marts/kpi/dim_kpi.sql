with raci as (

    select
        kpi.kpi,
        raci.role,
        raci.responsibility
    from (select distinct kpi from {{ ref('kpi') }}) as kpi
    inner join {{ ref('kpi_raci') }} as raci on raci.kpi in ('*', kpi.kpi)

),

named as (

    select
        kpi,
        {%- for responsibility in ['accountable', 'responsible', 'consulted', 'informed'] %}
        {{ leadlag.sorted_list("case when responsibility = '" ~ responsibility ~ "' then role end", ', ') }}
            as {{ responsibility }}{{ ',' if not loop.last }}
        {%- endfor %}
    from raci
    group by kpi

)

select
    kpi.kpi,
    kpi.version,
    kpi.kpi_name,
    kpi.perspective,
    kpi.question,
    kpi.formula,
    kpi.statistic,
    kpi.numerator_measure,
    kpi.denominator_measure,
    replace(kpi.unit, 'currency', '{{ var("base_currency", "EUR") }}') as unit,
    kpi.direction,
    kpi.indicator_type,
    kpi.minimum_volume,
    kpi.weight_scheme,
    kpi.owner,
    named.accountable,
    named.responsible,
    named.consulted,
    named.informed,
    kpi.status,
    case
        when kpi.status = 'draft' then 'a draft'
        when definition.kpi is null then 'its conversion definition does not exist'
    end as not_computed_reason,
    kpi.successor,
    kpi.valid_from,
    kpi.valid_to,
    kpi.review_date,
    coalesce(kpi.status = 'active' and kpi.review_date < clock.as_of_date, false) as is_review_overdue
from {{ ref('kpi') }} as kpi
left join named on kpi.kpi = named.kpi
left join {{ ref('int_kpi__definition') }} as definition
    on kpi.kpi = definition.kpi and kpi.version = definition.version and definition.variant = 'global'
cross join {{ ref('int_input__clock') }} as clock
