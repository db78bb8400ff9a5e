{{ config(materialized='ephemeral') }}

{{ leadlag.violation(
    'stage', ['stage', 'stage_order', 'stage_type'],
    "not ((stage_type = 'forward' and stage || stage_order in ('inquiry1', 'mql2', 'sal3', 'sql4', 'opportunity5', 'won6'))
        or (stage_type = 'outcome' and stage || stage_order in ('lost7', 'disqualified8', 'recycled9')))",
    'not a canonical stage, or not in its place',
    'Keep the nine stages and their order; change stage_name to rename one'
) }}
union all
{{ leadlag.repeated_policy_row('stage', ['stage']) }}
union all
{{ leadlag.violation(
    'status_map', ['source_system', 'status_field', 'status_raw', 'stage'],
    "stage is null or stage not in ('inquiry', 'mql', 'sal', 'sql', 'opportunity', 'disqualified', 'recycled', 'ignored')",
    'not a stage that a status can mean',
    'Write a stage of stage.csv or ignored; won and lost come from the flags of opportunities'
) }}
union all
{{ leadlag.repeated_policy_row('status_map', ['source_system', 'status_field', 'lower(trim(status_raw))']) }}
union all
{{ leadlag.violation(
    'stage_authority', ['stage', 'source_system'],
    "stage not in (select stage from " ~ ref('stage') ~ ")",
    'not a stage', 'Write a stage of stage.csv'
) }}
union all
{{ leadlag.violation(
    'stage_authority', ['stage', 'source_system', 'tolerance_hours'],
    'tolerance_hours is null or tolerance_hours < 0',
    'the tolerance is empty or negative', 'Write the hours by which two systems may differ'
) }}
union all
{{ leadlag.repeated_policy_row('stage_authority', ['stage', 'priority']) }}
union all
{{ leadlag.repeated_policy_row('stage_authority', ['stage', 'source_system']) }}
union all
{{ leadlag.violation(
    'recycle_rule', ['stage', 'min_gap_days'],
    "stage not in ('won', 'lost', 'disqualified', 'recycled')",
    'not a stage that ends a journey', 'Write won, lost, disqualified or recycled'
) }}
union all
{{ leadlag.violation(
    'recycle_rule', ['stage', 'min_gap_days'],
    'min_gap_days is null or min_gap_days < 0',
    'the minimum gap is empty or negative', 'Write whole days, 0 or more'
) }}
union all
{{ leadlag.repeated_policy_row('recycle_rule', ['stage']) }}
union all
{{ leadlag.violation(
    'qualified_opportunity_rule', ['rule_number', 'field', 'operator', 'value'],
    "not ((field in ('opportunity_type', 'forecast_category', 'stage_raw', 'product_line', 'region') and operator in ('in', 'not_in'))
        or (field in ('probability', 'amount') and operator in ('at_least', 'at_most')))",
    'the operator does not suit the field, or one of them is unknown',
    'opportunity_type, forecast_category, stage_raw, product_line, region take in, not_in; probability, amount take at_least, at_most'
) }}
union all
{{ leadlag.repeated_policy_row('qualified_opportunity_rule', ['rule_number']) }}
union all
{{ leadlag.repeated_policy_row('sales_contact_rule', ['activity_type', 'direction']) }}
union all
{{ leadlag.violation(
    'shared_mailbox', ['match_type', 'pattern'],
    "match_type not in ('local_part', 'domain', 'address') or pattern is null or pattern <> lower(trim(pattern))",
    'an unknown match_type, or a pattern that is not in lower case',
    'Write local_part, domain or address, and the pattern in lower case without blanks'
) }}
union all
{{ leadlag.repeated_policy_row('shared_mailbox', ['match_type', 'pattern']) }}
