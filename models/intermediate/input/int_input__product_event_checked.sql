{{ leadlag.checked_input('product_event') }}
