{{ config(materialized='view') }}

{{ leadlag.accepted_input('opportunity_stage_event') }}
