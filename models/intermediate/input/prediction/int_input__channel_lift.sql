{{ leadlag.newest_run(ref('stg_prediction__channel_lift')) }}
