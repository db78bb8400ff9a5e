-- depends_on: {{ ref('int_policy__violation') }}
{%- set policies = [
    'access_principal', 'channel_rule', 'conversion_definition', 'currency_rate', 'field_map', 'health_rule', 'lead_source_map',
    'qualified_opportunity_rule', 'quarantine_rule', 'recycle_rule', 'sales_contact_rule', 'shared_mailbox', 'stage',
    'stage_authority', 'status_map', 'traffic_rule', 'utm_alias',
] %}

{% for policy in policies -%}
{%- set columns = adapter.get_columns_in_relation(ref(policy)) | map(attribute='quoted') | sort if execute else ['null'] -%}
select
    '{{ policy }}' as policy,
    cast(sum(cast({{ leadlag.row_digest(columns or ['null']) }} as decimal(38, 0))) as {{ dbt.type_string() }}) as fingerprint
from {{ ref(policy) }}
{{ 'union all' if not loop.last }}
{% endfor %}
