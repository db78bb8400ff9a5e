{{ config(materialized='view') }}

{{ leadlag.accepted_input('status_event') }}
