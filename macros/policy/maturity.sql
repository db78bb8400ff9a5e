{#- Whether an entry is mature by the clock (alias clock): its window is over, or, on stage basis, the journey has converted, has
    ended or is older than maturity_days. row, definition: aliases of an entry and of its conversion definition. -#}
{% macro is_mature(row, definition) -%}
    case
            when {{ definition }}.basis = 'window' and {{ definition }}.time_basis = 'calendar_days'
                then {{ leadlag.days_between(row ~ '.entered_date', 'clock.as_of_date') }} > {{ definition }}.window_days
            when {{ definition }}.basis = 'window'
                then {{ leadlag.seconds_between(row ~ '.entered_at', 'clock.as_of') }} >= {{ definition }}.window_days * 86400
            else
                {{ row }}.converted_at is not null
                or {{ row }}.ended_at is not null
                or coalesce({{ leadlag.seconds_between(row ~ '.entered_at', 'clock.as_of') }} >= {{ definition }}.maturity_days * 86400, false)
        end
{%- endmacro %}
