{{ config(
    pre_hook="{{ leadlag.find_components(ref('int_identity__edge')) }}",
    post_hook="{{ leadlag.drop_working_tables(['component']) }}"
) }}
-- depends_on: {{ ref('int_identity__edge') }}

select
    node_key as lead_record_key,
    component_key
from {{ leadlag.working_table('component') }}
