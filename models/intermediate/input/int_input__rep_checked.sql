{{ leadlag.checked_input(
    'rep',
    key=['source_system', 'source_id'],
    timed=false,
    personal=['email']
) }}
