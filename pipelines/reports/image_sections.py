"""The pictures of a report: labels that were changed, labels still open, test samples that flipped, worst first, as small JPEGs."""

import base64

from assay.curation.errors import UserError
from assay.curation.media import files, pixels
from assay.curation.media.conversion import load_looks
from assay.pipelines.reports.html import count, folded, section, sentence, words

SHEET = 24  # pictures on a contact sheet
FIRST = 12  # of these, seen without asking


def pictures(bench, plan, flipped=None):
    """Contact sheets `changed` and `open` of train and val samples, and of test samples `gained` and `lost` by the frames `flipped`
    (where.flip_frames), where there are any: lists of dict(jpeg, name, was, now, text)."""
    fixed, dropped = changes(bench, plan["versions"][0], plan["versions"][-1])
    out = dict(
        changed=sheet(fixed, bench),
        n_changed=len(fixed),
        n_dropped=dropped,
        who=sorted(set(fixed.who.dropna())),
        no_queue=None,
    )
    out |= {way: sheet(frame, bench) for way, frame in zip(("gained", "lost"), flipped or ())}
    try:
        doubted = bench.issues("label")
    except UserError as e:  # the experiment stands without a queue
        return out | dict(open=[], n_open=0, no_queue=e.problem)
    names = dict(path="uri", source_id="key", label="was", suggestion="now", why="text")
    doubted = doubted[doubted.split.isin(("train", "val"))].rename(columns=names)
    return out | dict(open=sheet(doubted, bench), n_open=len(doubted))


def changes(bench, first, last):
    """(frame uri, key, was, now, who, text of train and val labels that differ between versions, worst score first; samples dropped)."""
    before, after = bench.state(first), bench.state(last)
    before = before.reindex(after.index)  # what was imported in between has no label before
    seen = before.split.isin(("train", "val")) & after.split.isin(("train", "val"))
    moved = (
        seen
        & after.keep
        & before.label.notna()
        & after.label.notna()
        & (before.label != after.label)
    )
    frame = after.assign(was=before.label, now=after.label)[moved].reset_index(names="id")[
        ["id", "uri", "key", "was", "now"]
    ]
    edits = bench.query("""with e as (select *, value ->> '$' as now, suggested ->> 'suggested_label' as hint from edits)
        select sample as id, now, who, try_cast(suggested ->> 'score' as double) as score, concat_ws(', ',
            if(hint = now, 'as suggested', 'suggested: ' || hint), printf('score %.2f', score),
            if(suggested ->> 'random' = 'true', 'drawn at random', null)) as text
        from e where field = 'label' and verdict = 'set' and batch like 'edit-%' order by seq""")
    frame = frame.merge(
        edits.drop_duplicates(["id", "now"], keep="last"), "left", ["id", "now"]
    ).sort_values("score", kind="stable")
    return frame.assign(text=frame.text.fillna("")), int(
        (seen & before.keep.eq(True) & ~after.keep).sum()
    )


def sheet(frame, bench):
    """The first rows of a frame uri, key, was, now, text of samples of `bench`, with their pictures."""
    out, looks = [], load_looks(bench.arrays)
    for row in frame.head(SHEET).itertuples():
        try:
            jpeg = pixels.thumbnail(row.uri, 128, looks)
        except files.BadImage:  # gone or damaged since it was imported
            jpeg = None
        out.append(dict(jpeg=jpeg, name=row.key, was=row.was, now=row.now, text=row.text))
    return out


def fewer(pictures, most):
    """The same sheets with at most `most` pictures each, the worst; the counts stay what they are."""
    return {
        k: v[:most] if k in ("changed", "open", "gained", "lost") else v
        for k, v in pictures.items()
    }


def changed(plan, pictures):
    """The section of labels that were changed."""
    n, between = (
        pictures["n_changed"],
        f"{words(plan['versions'][0])} and {words(plan['versions'][-1])}",
    )
    about = f"{len(pictures['changed'])} of {count(n, 'label')} that differ between {between}, worst score first"
    about = about if n else f"No train or validation label differs between {between}"
    about += f"; {count(pictures['n_dropped'], 'sample')} dropped" if pictures["n_dropped"] else ""
    about += f". Changed by {words(pictures['who'])}." if pictures["who"] else "."
    about = about if len(plan["versions"]) > 1 else "None to show: the plan has one version."
    return section(
        "Labels that were changed",
        about,
        figures(pictures["changed"], "<s>{}</s> <em>→&nbsp;{}</em>"),
    )


def still_open(pictures):
    """The section of labels that are still under suspicion."""
    n = pictures["n_open"]
    about = f"{len(pictures['open'])} of {count(n, 'label')} that nobody has reviewed and the model would choose otherwise, worst first."
    none = (
        "None: the model doubts no label that is not reviewed."
        if not pictures["no_queue"]
        else sentence(pictures["no_queue"])
    )
    return section(
        "Most suspect labels still open",
        about if n else none,
        figures(pictures["open"], "{}, or&nbsp;<em>{}?</em>"),
    )


def flipped(where, pictures):
    """The section of test samples that are right now and were not, and the other way round."""
    flips, body = where["flips"], ""
    for way, title, mark in (
        ("gained", "Wrong before, right after", "{} <em>→&nbsp;{}</em>"),
        ("lost", "Right before, wrong after", "<em class=lost>{}</em> →&nbsp;{}"),
    ):
        n, drawn = flips[f"n_{way}"], pictures.get(way, [])
        about = (
            f"{len(drawn)} of {count(n, 'test sample')}, most changed first."
            if n
            else "No test sample."
        )
        body += section(title, about, figures(drawn, mark.replace("=lost", '="lost"')), level=3)
    both = f"{words(where['version'])} against {words(where['against'])}: what most runs predict, before → after."
    net = f"{count(flips['n_gained'], 'test sample')} wrong before and right after, {flips['n_lost']:,} the other way."
    return section("Test samples that flipped", f"{net} {both}", body)


def figures(sheet, labels):
    out = []
    for s in sheet:
        name, jpeg = words(s["name"], 300), base64.b64encode(s["jpeg"] or b"").decode()
        picture = (
            f'<img alt="{name}" src="data:image/jpeg;base64,{jpeg}">'
            if jpeg
            else "<p>cannot be read now</p>"
        )
        caption = f"<b>{labels.format(words(s['was'], 60), words(s['now'], 60))}</b> {words(s['text'], 160)}"
        out.append(f'<figure title="{name}">{picture}<figcaption>{caption}</figcaption></figure>')
    first, more = "".join(out[:FIRST]), "".join(out[FIRST:])
    more = folded(f"{len(out) - FIRST} more", f'<div class="sheet">{more}</div>') if more else ""
    return f'<div class="sheet">{first}</div>{more}' if first else ""
