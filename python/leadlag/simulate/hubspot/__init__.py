"""The marketing side: HubSpot tables in the Fivetran schema."""
