"""Overview: what is in the bench, what is flagged, and the one thing to do next."""

import streamlit as st

from app.look import bars, cards


def draw(bench):
    status = bench.status()
    st.markdown(f"# {bench.path.name}")
    if not status["samples"]:
        return st.info(f"This bench is empty. Run `assay import FOLDER -b {bench.given}`, then reload this page.")
    todo, why = next_action(status)
    st.html(f'<div class="assay-next"><b>{todo}</b><br>{why}</div>')
    review = status["review"]
    left = review["errors_left"]
    st.html(
        cards(
            [
                (f"{status['samples']:,}", "samples: " + ", ".join(f"{n:,} {s}" for s, n in status["splits"].items())),
                (f"{len(status['classes']):,}", "classes"),
                (f"{(status['issues'] or {}).get('label', 0):,}", "labels that the model doubts and nobody has reviewed"),
                (f"{review['reviewed']:,}", f"reviewed, of which {review['wrong']:,} were wrong"),
                ("not yet known" if left is None else f"{left[0]:,.0f}", errors_words(review)),
                (f"{status['runs']:,}", "trainings"),
            ]
        )
    )
    one, two = st.columns(2, gap="large")
    with one:
        st.markdown("### Classes, without the test split")
        st.html(bars(dict(sorted(status["classes"].items(), key=lambda c: -c[1]))))
    with two:
        st.markdown("### Issues")
        st.html(bars(status["issues"]) if status["issues"] else "<p>None, or nothing is scanned yet.</p>")
        table = bench.runs()
        table = table[table.accuracy.notna()]
        if len(table):
            st.markdown("### Validation accuracy, newest training first")
            st.caption("Each line is one trained model on its own, with a 95 % interval; an experiment compares recipes.")
            st.dataframe(table[::-1][["version", "arch", "seed", "accuracy", "low", "high", "n"]], hide_index=True)


def errors_words(review):
    left = review["errors_left"]
    return "errors left: it takes 30 random looks" if left is None else f"errors left, from {left[1]:,.0f} to {left[2]:,.0f} (95 %)"


def next_action(status):
    """(what to do, why), in words."""
    doubted = (status["issues"] or {}).get("label", 0)
    if status["issues"] is None:
        return "Scan the bench", "No image is judged yet: assay scan."
    if doubted and status["review"]["reviewed"] < 30:
        return "Review", f"{doubted:,} labels look wrong to a model that did not see them; the worst come first."
    if status["open_edits"]:
        return "Commit, then measure", f"{status['open_edits']:,} edits stand since {status['version'] or 'the beginning'}."
    return "Measure what the fix gained", "Plan an experiment over the versions that you have."
