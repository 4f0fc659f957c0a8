"""What finished runs say about samples that nobody judged: read where a run kept it, computed again where it is a closed form or asked for."""

from contextlib import suppress

import numpy as np

from assay.curation.errors import UserError
from assay.curation.predictions import model_disagreement, runs
from assay.curation.predictions.runs import choose
from assay.curation.storage.locks import at_work
from assay.curation.system.processes import PATIENCE, Lost
from assay.pipelines.experiments.plan import contents
from assay.pipelines.jobs import isolated
from assay.pipelines.training.architectures.recipes import recipe

CHECKED = 500  # val samples of which a run that is computed again is asked what it had said


@at_work
def told(bench, name, ids, predict=False, say=None):
    """What the runs that a person calls `name` (see versus.choose) say of the samples `ids` (m,) of val and the pool: [(classes, probs (m, k))], one a
    seed, NaN in the rows of samples that a run has not seen. The probe is fitted again for those; a network is trained again, in a process of its
    own, only if asked to `predict`. Both are kept with the run. UserError where a network kills that process or hangs it."""
    ids, out, trainer = np.asarray(ids, "S32"), [], None
    for run in model_disagreement.runs_of(bench, [r["key"] for r in choose(bench, name)]):
        classes, probs = runs.probabilities(bench, run["key"], ids)
        lost = np.isnan(probs).any(1)
        if lost.any() and recipe(run["arch"]).name == "probe":
            from assay.pipelines.experiments.trainer import Trainer

            trainer = trainer or Trainer(bench)
            probs[lost] = again(bench, trainer, run, ids[lost], say or (lambda line: None))
        elif lost.any() and predict:
            try:
                isolated.do(
                    predict_apart,
                    bench,
                    dict(key=run["key"], ids=[i.decode() for i in ids[lost]]),
                    PATIENCE,
                    say,
                )
            except Lost as e:
                hint = "without --predict its samples stay unjudged, and all else is said"
                raise UserError(
                    f"expected {run['arch']}, seed {run['seed']}, to train once more, found it {e}",
                    hint,
                ) from None
            classes, probs = runs.probabilities(bench, run["key"], ids)
            if np.isnan(probs[lost]).any():
                raise UserError(
                    f"expected to keep what {run['arch']} says with its run, found {bench.path} read-only",
                    "copy the bench",
                )
        out.append((classes, probs))
    return out


def predict_apart(bench, tell, key, ids):
    """The part of `told` that has a process of its own."""
    train_again(bench, key, ids, lambda line: tell(line=line), lambda *step: tell(step=step))


def again(bench, trainer, run, ids, say, progress=None):
    """Train a finished run once more for the samples `ids`: (m, k). Says how well it agrees with what it had said."""
    if contents(bench, run["at"])["train_tree"] != run["train_tree"]:
        raise UserError(
            f"expected {run['at']} to be what the run {run['key'][:8]} was trained on, found it changed since",
            "commit a version before an experiment (assay commit), and name it in the plan instead of HEAD",
        )
    if recipe(run["arch"]).name != "probe":
        say(
            f"predict     trains {run['arch']} on {run['at']}, seed {run['seed']}, once more, for {len(ids):,} samples"
        )
    known = trainer.state.index[trainer.state["split"] == "val"][
        :CHECKED
    ]  # never a prediction of a test sample
    _, probs = trainer.predict(run, [*(s.decode() for s in ids), *known], progress)
    probs, check = probs[: len(ids)], probs[len(ids) :].argmax(1)
    before = runs.probabilities(bench, run["key"], known)[1]
    there = ~np.isnan(before).any(1)
    same = (check == before.argmax(1))[there].mean() if there.any() else 1
    if (
        same < 1
    ):  # the graph groups copies anew when images come, and another machine rounds otherwise
        say(
            f"note: run {run['key'][:8]}, computed again, names the class that it had named for {same:.1%} of {there.sum()} val samples"
        )
    with suppress(OSError):  # a bench that nobody may write: computed again the next time
        runs.add_pool(bench, run["key"], ids, probs)
    return probs


def train_again(bench, key, ids, say, progress):
    """As `again`, of a network's run; what it says is kept with the run."""
    from assay.pipelines.experiments.trainer import Trainer

    (run,) = model_disagreement.runs_of(bench, [key])
    again(bench, Trainer(bench), run, np.asarray(ids, "S32"), say, progress)


def compared(bench, first, second, split="pool", predict=False, say=None):
    """Where the candidate `second` and the current model `first` disagree on the kept samples of `split` (pool or val): (frame as shadow.compared
    with sample in place of row, about)."""
    state = bench.state()
    ids = state.index[state.keep & (state["split"] == split)]
    if not len(ids):
        raise UserError(
            f"expected kept samples in {split}, found none",
            f"assay import SOURCE --split-map NAME={split} -b {bench.given}",
        )
    keys = [{r["key"] for r in choose(bench, name)} for name in (first, second)]
    if keys[0] & keys[1]:
        raise UserError(
            f"expected two different runs, found {first} and {second}, which share some",
            "a model agrees with itself",
        )
    sides = [told(bench, name, ids, predict, say) for name in (first, second)]
    for name, side in zip((first, second), sides):
        if any(np.isnan(probs).all() for _, probs in side):
            raise UserError(
                f"expected {name} to have predicted some of {len(ids):,} {split} samples, found none: they came after it was trained",
                "assay shadow --predict trains it once more, to predict them",
            )
    found, about = model_disagreement.compared(*sides)
    found.insert(0, "sample", ids[found.pop("row")])
    return found, about
