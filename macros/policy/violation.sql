{#- One check of a policy table: the rows that meet `broken`, named by their columns `row`. -#}
{% macro violation(seed, row, broken, rule, remedy) %}
    select
        'seeds/policy/{{ seed }}.csv' as seed_file,
        {% for column in row %}{% if not loop.first %} || ', ' || {% endif %}coalesce(cast({{ column }} as {{ dbt.type_string() }}), '(empty)'){% endfor %} as policy_row,
        '{{ rule }}' as rule,
        '{{ remedy }}' as remedy
    from {{ ref(seed) }}
    where {{ broken }}
{% endmacro %}


{#- Rows of a policy table that answer the same question twice. -#}
{% macro repeated_policy_row(seed, key) %}
    select
        'seeds/policy/{{ seed }}.csv' as seed_file,
        {% for column in key %}{% if not loop.first %} || ', ' || {% endif %}coalesce(cast({{ column }} as {{ dbt.type_string() }}), '(empty)'){% endfor %} as policy_row,
        count(*) || ' rows for the same {{ key | join(' and ') | replace("'", "") }}' as rule,
        'Keep one of them' as remedy
    from {{ ref(seed) }}
    group by {{ key | join(', ') }}
    having count(*) > 1
{% endmacro %}
