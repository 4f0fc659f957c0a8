"""A grid of pictures: some are picked, and one act on them is one batch of edits."""

from hashlib import sha256

from assay.app.server.review_session import desk_of
from assay.app.ui.widgets import component
from assay.curation.versioning import versions

grid = component("grid")


def draw(bench, items, actions, who, key, chosen=None):
    """Draw `items` (dicts sample, label, suggested_label, name, note, why) and what can be done with those that are picked: dicts name,
    decision (as Bench.edit takes it, without the sample; suggested=True: the label that is suggested for each). chosen: {sample: suggested
    label or None} where more are meant than are shown."""
    chosen = {i["sample"]: i["suggested_label"] for i in items} if chosen is None else chosen
    of = sha256("\n".join(chosen).encode()).hexdigest()[:32]
    desk_of(bench.path).choose(of, chosen)
    at = f"{of} {[a['name'] for a in actions]} {versions.position(bench, 'HEAD')}"
    grid(
        data=dict(key=at, items=items, actions=actions, who=who, of=of, total=len(chosen)),
        key=key,
        on_stored_change=lambda: None,
    )
