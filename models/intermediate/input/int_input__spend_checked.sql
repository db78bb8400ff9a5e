{{ leadlag.checked_input(
    'spend',
    timed=true,
    rules=[['negative_amount', 'amount', 'amount < 0']]
) }}
