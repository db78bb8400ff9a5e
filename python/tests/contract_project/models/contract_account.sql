select * from {{ source('raw', 'account') }}
