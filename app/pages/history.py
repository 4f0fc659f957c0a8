"""History: who did what when, what it changed, and the way back."""

from html import escape
from urllib.parse import quote

import streamlit as st

from assay.app.ui.widgets import picture, reviewer, told, words
from assay.curation.errors import UserError
from assay.curation.times import localize, show_time
from assay.curation.versioning import history

SHOWN = [
    "kind",
    "name",
    "who",
    "ts",
    "samples",
    "relabelled",
    "confirmed",
    "unsure",
    "dropped",
    "tagged",
    "moved",
    "why",
]

LIFE = ["ts", "who", "field", "value", "verdict", "why", "seconds", "batch"]
TABS = ["Log", "Difference", "One sample"]


def draw(bench):
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# History")
    with right:
        who = reviewer(bench)
    commit(bench, who)
    one, two, three = st.tabs(TABS, default=TABS[2] if "sample" in st.query_params else None)
    with one:
        log(bench, who)
    with two:
        diff(bench, who)
    with three:
        blame(bench)


def commit(bench, who):
    """Name what stands now."""
    since = history.since_commit(bench)
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    message = left.text_input(
        "What changed",
        placeholder=f"{since:,} edits since the last version: what changed?",
        label_visibility="collapsed",
    )
    if right.button("Commit", disabled=not (since and who), type="primary", width="stretch"):
        told(lambda: f"{bench.commit(message, who)['name']} is committed")


def log(bench, who):
    rows = bench.batches().iloc[::-1].reset_index(drop=True)
    chosen = st.dataframe(
        localize(rows[SHOWN], show_time),
        hide_index=True,
        height=min(480, 38 + 35 * len(rows)),
        placeholder="",
        on_select="rerun",
        selection_mode="single-row",
        key="log",
    ).selection.rows
    if not chosen:
        return st.caption("Choose a line to take its batch back.")
    row = rows.iloc[chosen[0]]
    if row["kind"] != "batch":
        return st.caption(f"{row['name']} is a version: the difference shows what it holds.")
    try:
        plan, _ = bench.revert(row["name"], who=who, dry=True)
    except UserError as e:
        return st.caption(words(e))
    back = plan[plan.popped.map(bool).astype(bool)]
    st.write(
        f"To take back **{row['name']}** restores {len(back):,} values; {len(plan) - len(back):,} that were edited since stay."
    )
    names = bench.state().key
    if len(back) > 200:
        st.caption("The first 200 of them:")
    st.dataframe(
        back.assign(sample=names.reindex(back["sample"]).to_numpy())[
            ["sample", "slot", "now", "value"]
        ].head(200),
        hide_index=True,
    )
    if st.button(f"Take back {row['name']}", disabled=not (who and len(back))):
        told(lambda: f"{bench.revert(row['name'], who=who)[1]['restored']:,} values are back")


def diff(bench, who):
    names = ["HEAD", *bench.commits().name[::-1]]
    one, two = st.columns(2)
    a, b = one.selectbox("From", names, index=len(names) - 1), two.selectbox("To", names)
    found = bench.diff(a, b)
    st.caption(
        ", ".join(
            f"{len(found[k]):,} {k}" for k in ("relabelled", "added", "removed", "moved", "tagged")
        )
    )
    if len(found["relabelled"]):
        matrix = found["matrix"]
        matrix = matrix[matrix["from"] != matrix["to"]].pivot_table(
            index="from", columns="to", values="n", aggfunc="sum"
        )
        cells = st.dataframe(
            matrix.fillna(0).astype(int),
            on_select="rerun",
            selection_mode="single-cell",
            key=f"matrix {a} {b}",
        ).selection.cells
        st.caption(
            "Choose a number, and only its pictures are shown; choose a picture, and its life is told. Row: the label before. Column: after."
        )
        rows = found["relabelled"]
        for at, after in cells:
            rows = rows[(rows["from"] == matrix.index[at]) & (rows["to"] == after)]
        pictures(rows, who)


def pictures(rows, who, most=48):
    """What was relabelled, as pictures with the label before and after; a click tells the life of one."""
    cells = [
        f'<a href="/history?sample={quote(r.sample)}&who={quote(who)}" target="_self" title="its life"><figure>{picture(r.sample, r.source_id)}'
        f"<figcaption><s>{escape(str(r[3]))}</s> → <b>{escape(str(r[4]))}</b></figcaption></figure></a>"
        for r in rows[["sample", "source_id", "from", "to"]].head(most).itertuples()
    ]
    st.html(
        f'<div class="assay-sheet">{"".join(cells)}</div>'
        + (f"<p>and {len(rows) - most:,} more</p>" if len(rows) > most else "")
    )


def blame(bench):
    sample = st.text_input(
        "Sample",
        st.query_params.get("sample", ""),
        placeholder="its id, or its name in its source",
        label_visibility="collapsed",
    ).strip()
    if not sample:
        return st.caption("Say a sample, and its life is told: each label, by whom, when and why.")
    try:
        id, key, life = bench.blame(sample)
    except UserError as e:
        return st.warning(words(e))
    left, right = st.columns([1, 4])
    left.html(f'<div class="assay-sheet"><figure>{picture(id, key, 256)}</figure></div>')
    right.dataframe(localize(life[LIFE], show_time), hide_index=True)
