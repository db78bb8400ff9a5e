{#- A view, as lead_score_probability. -#}
{{ config(materialized='view') }}

select
    as_of,
    model_version,
    feature,
    usage,
    reason,
    quarter_start,
    case_count,
    known_share,
    psi,
    psi_noise,
    psi > psi_noise as is_drifting
from {{ ref('int_input__score_feature') }}
