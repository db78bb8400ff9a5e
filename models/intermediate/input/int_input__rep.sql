{{ config(materialized='view') }}

{{ leadlag.accepted_input('rep') }}
