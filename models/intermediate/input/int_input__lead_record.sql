{{ config(materialized='view') }}

{{ leadlag.accepted_input('lead_record') }}
