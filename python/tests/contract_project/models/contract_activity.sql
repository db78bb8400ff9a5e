select * from {{ source('raw', 'activity') }}
