{{ config(materialized='ephemeral') }}

{%- set without_window = "(select conversion_definition from " ~ ref('conversion_definition') ~ " where basis <> 'window')" -%}
{%- set trial_row = ['trial', 'minimum_conversion', 'target_conversion', 'alpha', 'beta'] -%}
{%- set possible_trial = "minimum_conversion > 0 and minimum_conversion < target_conversion and target_conversion < 1
    and alpha > 0 and alpha < 0.5 and beta > 0 and beta < 0.5" %}

{{ leadlag.violation(
    'conversion_export', ['platform', 'milestone', 'click_id_type'],
    "coalesce(platform || ' ' || click_id_type, '') not in
        ('google_ads gclid', 'microsoft_ads msclkid', 'linkedin_ads li_fat_id', 'meta_ads fbclid')
        or coalesce(milestone, '') not in ('inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won')",
    'an unknown platform or milestone, or a click id of another platform',
    'google_ads with gclid, microsoft_ads with msclkid, linkedin_ads with li_fat_id, meta_ads with fbclid'
) }}
union all
{{ leadlag.violation(
    'conversion_export', ['platform', 'milestone', 'conversion_name'],
    "coalesce(trim(conversion_name), '') = ''
        or (platform = 'linkedin_ads' and conversion_name not like 'urn:lla:llaPartnerConversion:%')",
    'no conversion_name, or for LinkedIn one that is not the URN of a conversion rule',
    'Copy it from the platform; LinkedIn: urn:lla:llaPartnerConversion: and the id of the rule'
) }}
union all
{{ leadlag.violation(
    'conversion_export', ['platform', 'milestone', 'value_rule', 'fixed_value'],
    "coalesce(value_rule, '') not in ('none', 'fixed', 'won_amount', 'opportunity_amount')
        or (coalesce(value_rule, '') = 'fixed') <> (fixed_value is not null) or fixed_value < 0",
    'an unknown value_rule, or a fixed_value that is missing, negative or not asked for',
    'value_rule: none, fixed, won_amount or opportunity_amount; fixed_value of 0 or more for fixed only'
) }}
union all
{{ leadlag.violation(
    'conversion_export', ['platform', 'milestone', 'click_lookback_days', 'upload_days'],
    "coalesce(click_lookback_days, 0) < 1 or coalesce(upload_days, 0) < 1
        or upload_days > case when platform = 'meta_ads' then 7 else 90 end",
    'no click_lookback_days or upload_days, or more upload_days than the platform accepts',
    'Whole days of 1 or more; upload_days up to 7 for Meta, up to 90 for the others'
) }}
union all
{{ leadlag.violation(
    'conversion_export', ['platform', 'milestone', 'consent_rule'],
    "coalesce(consent_rule, '') not in ('granted', 'not_denied')",
    'an unknown consent_rule', 'consent_rule: granted or not_denied'
) }}
union all
{{ leadlag.repeated_policy_row('conversion_export', ['platform', 'milestone']) }}
union all
{{ leadlag.repeated_policy_row('conversion_export', ['platform', 'conversion_name']) }}
union all
{{ leadlag.violation(
    'consent_map', ['ad_consent_raw', 'ad_consent'],
    "coalesce(trim(ad_consent_raw), '') = '' or coalesce(ad_consent, 'granted') not in ('granted', 'denied')",
    'no ad_consent_raw, or an unknown ad_consent', 'ad_consent: granted, denied or empty'
) }}
union all
{{ leadlag.repeated_policy_row('consent_map', ['lower(trim(ad_consent_raw))']) }}
union all
{{ leadlag.violation(
    'lead_vendor', ['vendor', 'match_type', 'match_value', 'cost_per_lead', 'currency_code'],
    "coalesce(trim(vendor), '') = '' or coalesce(trim(match_value), '') = '' or cost_per_lead < 0
        or coalesce(match_type, '') not in ('lead_source_label', 'campaign_name') or (cost_per_lead is null) <> (currency_code is null)
        or currency_code not in (select currency_code from " ~ ref('currency_rate') ~ ")",
    'no vendor or match_value, an unknown match_type or currency, or a cost that is negative or without currency',
    'match_type: lead_source_label or campaign_name; cost_per_lead and a currency_code of currency_rate.csv together or neither'
) }}
union all
{{ leadlag.repeated_policy_row('lead_vendor', ['match_type', 'lower(trim(match_value))']) }}
union all
{{ leadlag.violation(
    'source_review_rule', ['review', 'early_definition', 'late_definition'],
    "review is null or early_definition is null or late_definition is null or early_definition = late_definition
        or early_definition in " ~ without_window ~ " or late_definition in " ~ without_window,
    'no review, or not two different conversion definitions of basis window', 'Write definitions of conversion_definition.csv'
) }}
union all
{{ leadlag.violation(
    'source_review_rule', ['review', 'window_days', 'minimum_entries', 'error_probability'],
    "coalesce(window_days, 0) < 1 or coalesce(minimum_entries, 0) < 1 or coalesce(error_probability, 0) <= 0 or error_probability >= 0.5
        or coalesce(maximum_duplicate_share, -1) < 0 or maximum_duplicate_share > 1 or coalesce(maximum_invalid_share, -1) < 0
        or maximum_invalid_share > 1 or maximum_cost_per_late <= 0",
    'window_days or minimum_entries below 1, a share outside 0 to 1, no error_probability below 0.5, or a cost of 0 or less', 'Fill it in'
) }}
union all
{{ leadlag.repeated_policy_row('source_review_rule', ['review']) }}
union all
{{ leadlag.violation(
    'vendor_trial', ['trial', 'vendor', 'conversion_definition', 'start_date'],
    "trial is null or start_date is null or coalesce(vendor, '') not in (select vendor from " ~ ref('lead_vendor') ~ ")
        or conversion_definition is null or conversion_definition in " ~ without_window,
    'no trial, start_date or such vendor, or no conversion definition of basis window',
    'Write a vendor of lead_vendor.csv and a definition of conversion_definition.csv'
) }}
union all
{{ leadlag.violation(
    'vendor_trial', trial_row, "not coalesce(" ~ possible_trial ~ ", false)",
    'the rates or errors leave nothing to test', '0 < minimum_conversion < target_conversion < 1, alpha and beta above 0 and below 0.5'
) }}
union all
{{ leadlag.violation(
    'vendor_trial', ['trial', 'maximum_duplicate_share', 'maximum_invalid_share'],
    "coalesce(maximum_duplicate_share, 0) <= 0 or maximum_duplicate_share >= 0.5
        or coalesce(maximum_invalid_share, 0) <= 0 or maximum_invalid_share >= 0.5",
    'a maximal share is not above 0 and below one half', 'Give the share that is still tolerated; the test looks for twice as many'
) }}
union all
{{ leadlag.violation(
    'vendor_trial', trial_row + ['planned_leads'],
    "case when " ~ possible_trial ~ " then coalesce(planned_leads, 0) < " ~ leadlag.fixed_size('vendor_trial') ~ " else false end",
    'too few planned_leads to tell the two rates apart', 'Plan more leads, or rates that lie further apart, or larger errors'
) }}
union all
{{ leadlag.repeated_policy_row('vendor_trial', ['trial']) }}
