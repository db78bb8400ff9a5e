{{ leadlag.incremental('changed_rows') }}

{{ leadlag.checked_input('activity') }}
