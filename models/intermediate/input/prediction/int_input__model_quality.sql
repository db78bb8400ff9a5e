{#- Every run, not the newest: the registry compares versions. -#}
select * from {{ ref('stg_prediction__model_quality') }}
