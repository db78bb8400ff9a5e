select * from {{ source('raw', 'spend') }}
