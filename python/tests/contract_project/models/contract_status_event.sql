select * from {{ source('raw', 'status_event') }}
