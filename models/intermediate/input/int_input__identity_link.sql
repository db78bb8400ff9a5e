{{ config(materialized='view') }}

{{ leadlag.accepted_input('identity_link') }}
