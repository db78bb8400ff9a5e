select * from {{ source('raw', 'campaign') }}
