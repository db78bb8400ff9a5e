with clock as (

    select * from {{ ref('int_input__clock') }}

),

-- Every milestone that a rule would report, and the last click of the platform before it.
click as (

    select
        rule.platform,
        rule.milestone,
        milestone.journey_key,
        milestone.person_key,
        milestone.reached_at,
        max(touch.occurred_at) as clicked_at
    from {{ ref('conversion_export') }} as rule
    inner join {{ ref('int_closed_loop__milestone') }} as milestone on rule.milestone = milestone.milestone
    left join {{ ref('touchpoint_click') }} as touch
        on
            milestone.journey_key = touch.journey_key
            and rule.click_id_type = touch.click_id_type
            and milestone.reached_at >= touch.occurred_at
    group by rule.platform, rule.milestone, milestone.journey_key, milestone.person_key, milestone.reached_at

),

-- Of several clicks at that moment the one of the touchpoint with the lowest key.
clicked as (

    select
        click.platform,
        click.milestone,
        click.journey_key,
        min(touch.touchpoint_key) as touchpoint_key
    from click
    inner join {{ ref('conversion_export') }} as rule
        on click.platform = rule.platform and click.milestone = rule.milestone
    inner join {{ ref('touchpoint_click') }} as touch
        on
            click.journey_key = touch.journey_key
            and rule.click_id_type = touch.click_id_type
            and click.clicked_at = touch.occurred_at
    group by click.platform, click.milestone, click.journey_key

),

valued as (

    select
        click.*,
        clicked.touchpoint_key,
        rule.conversion_name,
        rule.value_rule,
        rule.click_lookback_days,
        rule.upload_days,
        rule.consent_rule,
        consent.ad_consent,
        consent.unmapped_count,
        cast(case rule.value_rule
            when 'fixed' then rule.fixed_value
            when 'opportunity_amount' then amount.opportunity_amount
            when 'won_amount' then amount.won_amount
        end as numeric(18, 2)) as conversion_value
    from click
    inner join {{ ref('conversion_export') }} as rule
        on click.platform = rule.platform and click.milestone = rule.milestone
    left join clicked
        on click.platform = clicked.platform and click.milestone = clicked.milestone and click.journey_key = clicked.journey_key
    left join {{ ref('int_closed_loop__consent') }} as consent on click.person_key = consent.person_key
    left join {{ ref('int_closed_loop__journey_amount') }} as amount on click.journey_key = amount.journey_key

)

select
    valued.*,
    case
        when valued.touchpoint_key is null then 'no_click_id'
        when {{ leadlag.seconds_between('valued.clicked_at', 'valued.reached_at') }} > valued.click_lookback_days * 86400
            then 'click_too_old'
        when valued.ad_consent = 'denied' then 'consent_denied'
        when valued.consent_rule = 'granted' and valued.ad_consent is null and valued.unmapped_count > 0 then 'consent_unmapped'
        when valued.consent_rule = 'granted' and valued.ad_consent is null then 'consent_not_recorded'
        when valued.value_rule <> 'none' and valued.conversion_value is null then 'value_unknown'
        when {{ leadlag.seconds_between('valued.reached_at', 'clock.as_of') }} > valued.upload_days * 86400 then 'conversion_too_old'
    end as exclusion,
    clock.as_of
from valued
cross join clock
