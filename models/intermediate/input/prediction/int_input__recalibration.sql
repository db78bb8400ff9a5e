{#- Every run, not the newest: what was learnt, and when. -#}
select * from {{ ref('stg_prediction__recalibration') }}
