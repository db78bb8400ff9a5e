{#- Of rows that runs of the companion wrote those of the newest as_of, and of its last model_version where it has several. -#}
{% macro newest_run(relation) -%}
with predicted as (

    select * from {{ relation }}

),

newest as (

    select
        as_of,
        max(model_version) as model_version,
        row_number() over (order by as_of desc) as run_number
    from predicted
    group by as_of

)

select predicted.*
from predicted
inner join newest on predicted.as_of = newest.as_of and predicted.model_version = newest.model_version
where newest.run_number = 1
{%- endmacro %}
