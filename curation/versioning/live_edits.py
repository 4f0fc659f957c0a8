"""Which edits are in force: SQL over the log."""

from assay.curation.storage.schema import PERSON_KINDS

# a slot is what one edit speaks about: a tag, rule or schema edit of each name is its own slot
SLOT = "field || case when field in ('tag', 'rule', 'schema') then ':' || (value ->> 'name') else '' end"
# these batches take others off the stack, or put them on again
BACK = "kind in ('undo', 'redo', 'revert')"
# a decision that an import put in again over what the source says now, or a rename that a merge said again: it goes
# and comes with the decision itself
AGAIN = (
    f"(kind = 'import' and origin_kind in {PERSON_KINDS} or kind = 'merge' and field = 'schema')"
)
# what somebody said elsewhere, that an import brought: it goes and comes with the import
VOTE = f"(kind in {PERSON_KINDS} and origin_kind = 'import')"
# labels as they are called at $upto, where class_names.offer_names has offered `renamed`
CALLED = "e.field = 'label' and r.was = (e.value ->> '$') and e.seq >= r.since and e.seq < r.until"
SPOKEN = f"""(select e.* replace (coalesce(r.label::json, e.value) as value)
    from edits e left join renamed r on {CALLED})"""
# one row for each batch that such an edit took off (alive false) or put back on (true), of one sample and slot
TOGGLES = f"""
turned as (
    select sample, {SLOT} as slot, seq, kind, batch as by_batch, (suggested -> 'redo') is not null as alive,
        unnest(case when json_type(coalesce((suggested -> 'undo'), (suggested -> 'redo'))) = 'ARRAY'
            then from_json(coalesce((suggested -> 'undo'), (suggested -> 'redo')), '["varchar"]')
            else [coalesce((suggested ->> 'undo'), (suggested ->> 'redo'))] end) as target
    from edits where {BACK} and seq <= $upto),
toggles as (
    select t.sample, t.slot, t.seq, coalesce(u.target, t.target) as batch, u.target is not null or t.alive as alive
    from turned t left join turned u  -- schema 1 wrote a redo as the undo of an undo
    on u.kind = 'undo' and u.by_batch = t.target and u.sample = t.sample and u.slot = t.slot),
dead as (select batch, sample, slot from toggles group by all having not arg_max(alive, seq))"""
# the edits that are on the stacks: all but those that took others off or put them back, and those that were taken off
ALIVE = f"""{TOGGLES},
alive as (
    select e.* from (
        select *, {SLOT} as slot, if({AGAIN} or {VOTE}, origin, batch) as decision
        from {SPOKEN} where not {BACK} and seq <= $upto {{only}}) e
    anti join dead d on d.batch in (e.batch, e.decision) and e.sample = d.sample and e.slot = d.slot)"""
