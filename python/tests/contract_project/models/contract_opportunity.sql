select * from {{ source('raw', 'opportunity') }}
