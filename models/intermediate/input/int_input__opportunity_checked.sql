{{ leadlag.incremental('changed_rows') }}

{{ leadlag.checked_input(
    'opportunity',
    key=['source_system', 'source_id'],
    rules=[
        ['negative_amount', 'amount', 'amount < 0'],
        ['deleted_in_source', 'is_deleted', 'is_deleted'],
    ],
    texts=['stage_raw']
) }}
