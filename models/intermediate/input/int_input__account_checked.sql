{{ leadlag.checked_input(
    'account',
    key=['source_system', 'source_id'],
    timed=false,
    rules=[['deleted_in_source', 'is_deleted', 'is_deleted']]
) }}
