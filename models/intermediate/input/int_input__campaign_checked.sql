{{ leadlag.incremental('changed_rows') }}

{{ leadlag.checked_input(
    'campaign',
    key=['source_system', 'source_id'],
    timed=false,
    rules=[['negative_amount', 'actual_cost', 'actual_cost < 0']]
) }}
