{{ leadlag.incremental('changed_rows') }}

{{ leadlag.checked_input(
    'identity_link',
    required=['from_source_id', 'to_source_id']
) }}
