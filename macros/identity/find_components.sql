{#- Pre-hook of int_identity__component: connected components of int_identity__edge by contraction. In each round every
    node follows its smallest neighbour to the root of that tree (pointer jumping) and the edges are drawn between roots;
    the nodes at least halve, and on hashed keys they shrink by two thirds or more. Leaves the working table component. -#}
{% macro find_components(edges) %}
{%- if execute -%}
    {%- set component, edge, root = leadlag.working_table('component'), leadlag.working_table('edge'), leadlag.working_table('root') -%}
    {%- set jump = leadlag.working_table('jump') -%}
    {%- do leadlag.create_working_table('component', 'select from_key as node_key, from_key as component_key from ' ~ edges
        ~ ' union select to_key, to_key from ' ~ edges) -%}
    {%- do leadlag.create_working_table('edge', 'select from_key, to_key from ' ~ edges
        ~ ' union select to_key, from_key from ' ~ edges) -%}
    {%- set open = namespace(edges=1, jumps=1) -%}
    {%- for round in range(40) if open.edges -%}
        {%- do leadlag.create_working_table('root',
            'select from_key as node_key, least(from_key, min(to_key)) as root_key from ' ~ edge ~ ' group by from_key') -%}
        {%- set open.jumps = 1 -%}
        {%- for _ in range(40) if open.jumps -%}
            {%- do leadlag.create_working_table('jump', 'select near.node_key, far.root_key, near.root_key as previous_key
                from ' ~ root ~ ' as near inner join ' ~ root ~ ' as far on near.root_key = far.node_key') -%}
            {%- set open.jumps = run_query('select count(*) from ' ~ jump ~ ' where root_key <> previous_key').rows[0][0] -%}
            {%- do leadlag.replace_working_table('root', 'jump') -%}
        {%- endfor -%}
        {%- do leadlag.create_working_table('next', 'select label.node_key, coalesce(root.root_key, label.component_key) as component_key
            from ' ~ component ~ ' as label left join ' ~ root ~ ' as root on label.component_key = root.node_key') -%}
        {%- do leadlag.replace_working_table('component', 'next') -%}
        {%- do leadlag.create_working_table('next', 'select distinct near.root_key as from_key, far.root_key as to_key
            from ' ~ edge ~ ' as edge inner join ' ~ root ~ ' as near on edge.from_key = near.node_key
            inner join ' ~ root ~ ' as far on edge.to_key = far.node_key where near.root_key <> far.root_key') -%}
        {%- do leadlag.replace_working_table('edge', 'next') -%}
        {%- set open.edges = run_query('select count(*) from ' ~ edge).rows[0][0] -%}
    {%- endfor -%}
    {%- if open.edges -%}
        {{ exceptions.raise_compiler_error("int_identity__component: 40 rounds did not join all records, " ~ open.edges
            ~ " edges are left in " ~ edges) }}
    {%- endif -%}
    {%- do leadlag.drop_working_tables(['edge', 'root']) -%}
{%- endif -%}
{% endmacro %}
