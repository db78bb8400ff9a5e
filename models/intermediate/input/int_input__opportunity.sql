{{ config(materialized='view') }}

{{ leadlag.accepted_input('opportunity') }}
