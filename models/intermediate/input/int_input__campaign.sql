{{ config(materialized='view') }}

{{ leadlag.accepted_input('campaign') }}
