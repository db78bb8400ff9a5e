with segment_use as (

    select
        segment.segment_key,
        use.use_key,
        use.measure,
        use.has_segments,
        {{ leadlag.double('coalesce(weight.weight, 1)') }} as weight
    from {{ ref('int_kpi__use') }} as use
    inner join {{ ref('int_kpi__segment') }} as segment
        on
            use.scope_region in ('*', segment.region)
            and use.scope_product_line in ('*', segment.product_line)
    left join {{ ref('int_kpi__segment_weight') }} as weight
        on use.weight_scheme = weight.weight_scheme and segment.segment_key = weight.segment_key

)

select
    segment_use.use_key,
    segment_cut.cut_key,
    piece.piece_start,
    sum(piece.row_count) as row_count,
    sum(piece.amount) as amount,
    sum(piece.amount_squared) as amount_squared,
    sum(piece.pending_count) as pending_count,
    sum(piece.row_count * segment_use.weight) as weighted_count,
    sum(piece.amount * segment_use.weight) as weighted_amount
from {{ ref('int_kpi__segment_piece') }} as piece
inner join segment_use on piece.measure = segment_use.measure and piece.segment_key = segment_use.segment_key
inner join {{ ref('int_kpi__segment_cut') }} as segment_cut
    on segment_use.segment_key = segment_cut.segment_key and (segment_use.has_segments or segment_cut.cut_name = 'total')
group by 1, 2, 3
