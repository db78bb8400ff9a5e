select * from {{ source('raw', 'touchpoint') }}
