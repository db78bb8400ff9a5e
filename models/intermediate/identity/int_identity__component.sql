{{ config(pre_hook="{{ leadlag.find_components(ref('int_identity__edge')) }}") }}
-- depends_on: {{ ref('int_identity__edge') }}

select
    node_key as lead_record_key,
    component_key
from leadlag_component
