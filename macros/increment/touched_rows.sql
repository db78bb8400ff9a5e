{#- Working tables of a *_checked model: `candidate`, the delivered rows to judge again, and `touched_row`, their keys and those
    of rows that are no longer delivered. Rows are compared by content, so that no time stamp of a loader has to be trusted;
    what shares a key with a changed row is judged with it.
    parent: an entity whose change can change the judgement, with its key among the columns. -#}
{% macro find_touched_rows(entity, key, since, parent=none) %}
    {%- set delivered, row_key, key_digest = leadlag.delivered(entity), entity ~ '_key', leadlag.row_digest(key) -%}
    {%- set day = "coalesce(cast(known_at as date), cast('1900-01-01' as date))" -%}
    {%- set digests = 'select row_digest, ' ~ key_digest ~ ' as key_digest, ' ~ day ~ ' as known_day from ' -%}
    {%- set now, changed_day = leadlag.working_table('now'), leadlag.working_table('changed_day') -%}
    {%- set changed, digest = leadlag.working_table('changed'), leadlag.working_table('digest') -%}
    {%- do leadlag.create_working_table('now', digests ~ '(' ~ delivered ~ ') as delivered') -%}

    {#- Most changes lie in few days: only those whose sums differ are compared row by row. -#}
    {%- set sums = 'sum(row_digest) as digest_sum from ' -%}
    {%- do leadlag.create_working_table('changed_day', 'select known_day from (
        select known_day, count(*) as row_count, ' ~ sums ~ now ~ ' group by known_day
        union all select known_day, -count(*), -sum(row_digest) from (' ~ digests ~ this ~ ') as before group by known_day
        ) as both_sides group by known_day having sum(row_count) <> 0 or sum(digest_sum) <> 0') -%}
    {%- set in_changed_day = ' where known_day in (select known_day from ' ~ changed_day ~ ')' -%}
    {%- do leadlag.create_working_table('changed', 'select row_digest, min(key_digest) as key_digest from (
        select row_digest, key_digest, 1 as copies from ' ~ now ~ in_changed_day ~ '
        union all select row_digest, key_digest, -1 from (' ~ digests ~ this ~ ') as before' ~ in_changed_day ~ '
        ) as both_sides group by row_digest having sum(copies) <> 0') -%}
    {%- do leadlag.create_working_table('digest', 'select row_digest from ' ~ changed ~ '
        union select row_digest from ' ~ this ~ ' where ' ~ key_digest ~ ' in (select key_digest from ' ~ changed ~ ')' ~ ('
        union select row_digest from ' ~ this ~ ' where ' ~ row_key ~ ' in (select ' ~ row_key ~ ' from ' ~ this ~ ' where ' ~ parent ~ '_key in '
        ~ leadlag.changed_keys(parent, since) ~ ')' if parent else '')) -%}

    {%- set days = [] -%}
    {%- for row in run_query('select distinct known_day from ' ~ now ~ ' where row_digest in (select row_digest from ' ~ digest ~ ')').rows -%}
        {%- do days.append("cast('" ~ row[0] ~ "' as date)") -%}
    {%- endfor -%}
    {#- As literals, so that the engine leaves out other days before it computes anything. -#}
    {%- set in_days = day ~ ' in (' ~ (days | join(', ') or 'null') ~ ')' if days | length <= 100 else 'true' -%}
    {%- do leadlag.create_working_table('candidate', 'select delivered.*, ' ~ leadlag.key(key) ~ ' as ' ~ row_key ~ ' from (' ~ delivered ~ ') as delivered
        where ' ~ in_days ~ ' and row_digest in (select row_digest from ' ~ digest ~ ')') -%}
    {%- do leadlag.create_working_table('touched_row', 'select ' ~ row_key ~ ' as row_key from ' ~ leadlag.working_table('candidate') ~ '
        union select ' ~ row_key ~ ' from ' ~ this ~ ' where row_digest in (select row_digest from ' ~ digest ~ ')') -%}
{% endmacro %}
