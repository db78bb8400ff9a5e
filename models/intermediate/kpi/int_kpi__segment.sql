{%- set attributes = leadlag.segment_attributes() | join(', ') -%}

select segment_key, {{ attributes }} from {{ ref('int_kpi__journey') }}
union
select segment_key, {{ attributes }} from {{ ref('int_kpi__opportunity') }}
union
select segment_key, {{ attributes }} from (select {{ leadlag.segment_columns({}) }}) as unrecorded
