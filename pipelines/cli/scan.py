"""`assay scan`."""

from assay.curation import UserError
from assay.pipelines.cli.output import done, open_bench, patience_of, progress, say
from assay.pipelines.indexing import draw_map


def scan(a):
    """embed -> neighbours -> pictures -> probe -> issues; resumable, with progress"""
    from assay.pipelines.indexing.own_predictions import read_own
    from assay.pipelines.indexing.scan import scan

    bench, patience = open_bench(a), patience_of(a)
    own = None
    if a.pred_probs or a.embeddings:
        if a.pred_probs and a.out_of_sample is None:
            raise UserError(
                "expected to know whether your probabilities are out of sample, found no word",
                "say --out-of-sample yes or no",
            )
        own = [
            a.pred_probs and read_own(a.pred_probs, bench, "probabilities"),
            a.embeddings and read_own(a.embeddings, bench, "embeddings"),
            a.out_of_sample != "no",
        ]
    with progress("scanning") as step:
        found = scan(
            bench,
            a.effort,
            a.embedder,
            not a.keep_leakage,
            own=own,
            say=say(a),
            progress=step,
            yes=a.yes,
            patience=patience,
        )
    draw_map.draw(bench, say(a))
    done(
        a,
        dict(judged=len(found), flagged=int(found.flagged.sum())),
        f"assay queue -n 200 --csv queue.csv -b {bench.given}",
    )
