{%- set row = ['kpi', 'version', 'variant', 'period_grain', 'period_start', 'cut_name', 'cut_value'] -%}

-- What was known when the period began: mature values of periods that had had their time by then.
with history as (

    select
        {%- for column in row %}
        rule.{{ column }},
        {%- endfor %}
        rule.trailing_periods,
        rule.target_percentile,
        rule.threshold_percentile,
        earlier.value,
        row_number() over (
            partition by {% for column in row %}rule.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
            order by earlier.period_start desc
        ) as recency
    from {{ ref('int_kpi__target_rule') }} as rule
    inner join {{ ref('int_kpi__result') }} as earlier
        on
            rule.kpi = earlier.kpi
            and rule.version = earlier.version
            and rule.history_variant = earlier.variant
            and rule.period_grain = earlier.period_grain
            and rule.history_cut_name = earlier.cut_name
            and rule.history_cut_value = earlier.cut_value
            and {{ leadlag.days_between('earlier.next_period_start', 'rule.period_start') }} >= rule.days_to_maturity
    where earlier.is_mature and earlier.is_reliable and earlier.value is not null

),

ordered as (

    select
        history.*,
        row_number() over same_row as place,
        count(*) over (partition by {{ row | join(', ') }}) as periods
    from history
    where recency <= trailing_periods
    window same_row as (partition by {{ row | join(', ') }} order by value, recency)

),

-- Percentiles by linear interpolation between the two places around 1 + p (n - 1) (Hyndman and Fan 1996, type 7).
summed as (

    select
        {{ row | join(', ') }},
        max(periods) as periods,
        avg(value) as mean_value,
        stddev_samp(value) as deviation,
        {%- for level in ['target', 'threshold'] %}
        sum(
            value * greatest(0, 1 - abs(place - 1 - {{ leadlag.double(level ~ '_percentile') }} * (periods - 1)))
        ) as {{ level }}{{ ',' if not loop.last }}
        {%- endfor %}
    from ordered
    group by {{ row | join(', ') }}

),

levelled as (

    select
        rule.*,
        summed.periods,
        summed.mean_value,
        summed.deviation,
        {%- for level in ['target', 'threshold'] %}
        case
            when rule.method = 'fixed' then {{ leadlag.double('rule.' ~ level) }}
            when summed.periods >= rule.minimum_periods then summed.{{ level }}
        end * {{ leadlag.double("case
            when rule.method = 'trailing_percentile' or factor.target_factor is null then 1
            when rule.direction = 'higher' then factor.target_factor
            else 1 / factor.target_factor
        end") }} as {{ level }}_level{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_kpi__target_rule') }} as rule
    left join summed
        on {% for column in row %}rule.{{ column }} = summed.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    left join {{ ref('int_kpi__region_factor') }} as factor
        on rule.cut_name = 'region' and rule.cut_value = factor.region and rule.kpi = factor.kpi

),

-- Nobody is asked for more than those who do the work can take.
capped as (

    select
        levelled.*,
        {{ leadlag.double('capacity.capacity_per_week') }}
        * {{ leadlag.days_between('levelled.period_start', 'levelled.next_period_start') }} / 7 as capacity
    from levelled
    left join {{ ref('int_kpi__capacity') }} as capacity
        on
            levelled.kpi = capacity.kpi
            and levelled.direction = 'higher'
            and levelled.statistic in ('count', 'sum')
            and levelled.cut_name = capacity.cut_name
            and levelled.cut_value = capacity.cut_value
            and levelled.period_start >= capacity.valid_from
            and (levelled.period_start < capacity.valid_to or capacity.valid_to is null)

)

select
    {{ row | join(',\n    ') }},
    method,
    direction,
    periods,
    mean_value,
    deviation,
    least(target_level, coalesce(capacity, target_level)) as target,
    least(threshold_level, coalesce(capacity, threshold_level)) as threshold,
    coalesce(capacity < target_level, false) as is_capped
from capped
