"""The sales side: Salesforce tables in the Fivetran schema."""
