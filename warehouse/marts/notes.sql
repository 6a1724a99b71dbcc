-- grain: one row per remark of a person, in the session or in the store's notes
-- noted_at: when the remark was made; run: of one about a run
-- session: of one that was deleted while another has its name now: id@log_id
with notes as (
    select * from staging.stg_notes
),

renamed as (
    select
        session,
        run,
        seq,
        ts_event as noted_at,
        about_seq,
        about_ord,
        tag,
        text
    from notes
)

select * from renamed
