{{ leadlag.incremental('changed_rows') }}

{{ leadlag.checked_input('product_event') }}
