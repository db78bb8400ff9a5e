select * from {{ source('raw', 'rep') }}
