with role as (

    select
        kpi,
        version,
        variant,
        scope_region,
        scope_product_line,
        valid_from,
        valid_to,
        'numerator' as role,
        numerator_measure as measure,
        false as is_one_each
    from {{ ref('int_kpi__definition') }}
    where numerator_measure is not null
    union all
    select
        kpi,
        version,
        variant,
        scope_region,
        scope_product_line,
        valid_from,
        valid_to,
        'denominator' as role,
        coalesce(denominator_measure, numerator_measure) as measure,
        statistic = 'mean' as is_one_each
    from {{ ref('int_kpi__definition') }}
    where denominator_measure is not null or statistic = 'mean'

)

select
    role.kpi,
    role.version,
    role.variant,
    role.role,
    role.measure,
    segment.segment_key,
    role.is_one_each,
    role.valid_from,
    role.valid_to
from role
inner join {{ ref('int_kpi__segment') }} as segment
    on
        role.scope_region in ('*', segment.region)
        and role.scope_product_line in ('*', segment.product_line)
