with value as (

    select * from {{ ref('fct_kpi') }}

),

-- A variant's scope as the cut of the global definition that covers the same rows.
variant as (

    select
        kpi,
        version,
        variant,
        case
            when product_line = '*' then 'region'
            when region = '*' then 'product_line'
            else 'region x product_line'
        end as scope_cut_name,
        case
            when product_line = '*' then region
            when region = '*' then product_line
            else region || ' x ' || product_line
        end as scope_cut_value
    from {{ ref('kpi_variant') }}

)

select
    variant.kpi,
    variant.version,
    variant.variant,
    variant.scope_cut_name,
    variant.scope_cut_value,
    local_value.period_grain,
    local_value.period_start,
    local_value.value as local_value,
    scope_value.value as scope_value,
    global_value.value as global_value,
    local_value.value - global_value.value as difference,
    local_value.value - scope_value.value as definition_effect,
    scope_value.value - global_value.value as mix_effect,
    local_value.is_mature and scope_value.is_mature and global_value.is_mature as is_mature,
    local_value.is_reliable and scope_value.is_reliable and global_value.is_reliable as is_reliable
from variant
inner join value as local_value
    on
        variant.kpi = local_value.kpi
        and variant.version = local_value.version
        and variant.variant = local_value.variant
        and local_value.cut_name = 'total'
inner join value as global_value
    on
        local_value.kpi = global_value.kpi
        and local_value.version = global_value.version
        and global_value.variant = 'global'
        and global_value.cut_name = 'total'
        and local_value.period_grain = global_value.period_grain
        and local_value.period_start = global_value.period_start
left join value as scope_value
    on
        local_value.kpi = scope_value.kpi
        and local_value.version = scope_value.version
        and scope_value.variant = 'global'
        and variant.scope_cut_name = scope_value.cut_name
        and variant.scope_cut_value = scope_value.cut_value
        and local_value.period_grain = scope_value.period_grain
        and local_value.period_start = scope_value.period_start
