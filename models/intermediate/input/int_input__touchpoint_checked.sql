{{ leadlag.incremental('changed_rows') }}

{{ leadlag.checked_input(
    'touchpoint',
    texts=['utm_source', 'utm_medium'],
    wide=true
) }}
