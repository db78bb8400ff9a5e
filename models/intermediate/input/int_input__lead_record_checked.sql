{{ leadlag.incremental('changed_rows') }}

{{ leadlag.checked_input(
    'lead_record',
    key=['source_system', 'record_type', 'source_id'],
    rules=[['deleted_in_source', 'is_deleted', 'is_deleted and not coalesce(is_merged, false)']]
) }}
