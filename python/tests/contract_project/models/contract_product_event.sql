select * from {{ source('raw', 'product_event') }}
