{{ leadlag.checked_input('activity') }}
