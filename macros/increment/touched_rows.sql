{#- Working tables of a *_checked model: `candidate`, the delivered rows to judge again, and `touched_row`, their keys and those
    of rows that are no longer delivered. Rows are compared by content, so that no time stamp of a loader has to be trusted;
    what shares a key with a changed row is judged with it.
    parent: an entity whose change can change the judgement, with its key among the columns. -#}
{% macro find_touched_rows(entity, key, since, parent=none) %}
    {%- set delivered, this_key = '(' ~ leadlag.delivered(entity) ~ ') as delivered', entity ~ '_key' -%}
    {%- set key_digest = leadlag.row_digest(key) -%}
    {%- set day = "coalesce(cast(known_at as date), cast('1900-01-01' as date))" -%}
    {%- set changed, digest, recent = leadlag.working_table('changed'), leadlag.working_table('digest'), leadlag.working_table('recent') -%}
    {%- set candidate, candidates = leadlag.working_table('candidate'), 'select delivered.*, ' ~ leadlag.key(key) ~ ' as ' ~ this_key ~ ' from ' -%}

    {#- Most changes lie in a few days: where those differ from what is stored, only their rows are compared one by one. -#}
    {%- set compared = delivered -%}
    {%- set where = '' -%}
    {%- set days = leadlag.changed_days(delivered, day) -%}
    {%- if days is not none -%}
        {%- set where = ' where ' ~ day ~ ' in (' ~ (days | join(', ') or 'null') ~ ')' -%}
        {%- set compared = recent ~ ' as delivered' -%}
        {%- do leadlag.create_working_table('recent', 'select * from ' ~ delivered ~ where) -%}
    {%- endif -%}
    {%- do leadlag.create_working_table('changed',
        'select row_digest, min(key_digest) as key_digest from (select row_digest, ' ~ key_digest ~ ' as key_digest, 1 as copies from ' ~ compared
        ~ ' union all select row_digest, ' ~ key_digest ~ ', -1 from ' ~ this ~ where ~ ') as both_sides group by row_digest having sum(copies) <> 0') -%}
    {%- do leadlag.create_working_table('digest',
        'select row_digest from ' ~ changed ~ ' union select row_digest from ' ~ this ~ ' where ' ~ key_digest ~ ' in (select key_digest from '
        ~ changed ~ ')' ~ (' union select row_digest from ' ~ this ~ ' where ' ~ this_key ~ ' in (select ' ~ this_key ~ ' from ' ~ this ~ ' where '
        ~ parent ~ '_key in ' ~ leadlag.changed_keys(parent, since) ~ ')' if parent else '')) -%}
    {%- do leadlag.create_working_table('candidate', candidates ~ compared ~ ' where row_digest in (select row_digest from ' ~ digest ~ ')') -%}
    {%- if days is not none -%}
        {%- do leadlag.create_working_table('elsewhere', 'select row_digest from ' ~ digest ~ ' except select row_digest from ' ~ changed
            ~ ' except select row_digest from ' ~ recent) -%}
        {%- if run_query('select 1 from ' ~ leadlag.working_table('elsewhere') ~ ' limit 1') | length -%}
            {%- do run_query('insert into ' ~ candidate ~ ' ' ~ candidates ~ delivered ~ ' where row_digest in (select row_digest from '
                ~ leadlag.working_table('elsewhere') ~ ')') -%}
        {%- endif -%}
    {%- endif -%}
    {%- do leadlag.create_working_table('touched_row',
        'select ' ~ this_key ~ ' as row_key from ' ~ candidate ~ ' union select ' ~ this_key ~ ' from ' ~ this
        ~ ' where row_digest in (select row_digest from ' ~ digest ~ ')') -%}
{% endmacro %}


{#- Days, as SQL dates, whose delivered rows differ from the stored ones; none when they hold too much to be worth a look. -#}
{% macro changed_days(delivered, day) %}
    {%- set both_sides -%}
        select
            known_day,
            sum(row_count) as row_count,
            sum(delivered_count) as delivered_count,
            sum(digest_sum) as digest_sum
        from (
            select {{ day }} as known_day, count(*) as row_count, count(*) as delivered_count, sum(row_digest) as digest_sum
            from {{ delivered }} group by {{ day }}
            union all
            select {{ day }}, -count(*), 0, -sum(row_digest) from {{ this }} group by {{ day }}
        ) as both_sides
        group by known_day
    {%- endset -%}
    {%- do leadlag.create_working_table('day', both_sides) -%}
    {%- set days = [] -%}
    {%- set rows = namespace(all=0, changed=0) -%}
    {%- for known_day, count, is_changed in run_query('select known_day, delivered_count, row_count <> 0 or digest_sum <> 0 from '
        ~ leadlag.working_table('day')).rows -%}
        {%- set rows.all = rows.all + count -%}
        {%- if is_changed -%}
            {%- set rows.changed = rows.changed + count -%}
            {%- do days.append("cast('" ~ known_day ~ "' as date)") -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(days if rows.changed * 10 <= rows.all and days | length <= 100 else none) }}
{% endmacro %}
