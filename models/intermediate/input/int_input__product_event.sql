{{ config(materialized='view') }}

{{ leadlag.accepted_input('product_event') }}
