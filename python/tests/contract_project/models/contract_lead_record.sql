select * from {{ source('raw', 'lead_record') }}
