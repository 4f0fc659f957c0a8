"""Freeze the test split that an import brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.storage.interface import Bench
from assay.curation.versioning.states import hash_tree
from assay.pipelines.indexing.recognition import Incoming

if TYPE_CHECKING:
    import pandas as pd


def freeze_test_split(
    bench: Bench, incoming: Incoming, options: ImportOptions, relabelled: bool
) -> dict | None:
    """Make the rule that freezes the test split, or None.

    Its membership is frozen, not its labels. Labels that the source changed (`relabelled`) are no longer those that
    somebody audited. Raises UserError where a frozen split would change unasked.
    """
    after = state_after(incoming)
    test = after[after.keep & (after["split"] == "test")].assign(label=None)
    frozen = bench.rules().get("test") if len(incoming.state) else None
    tree = hash_tree(test)
    still_audited = frozen and frozen["audited"] and frozen["hash"] == tree and not relabelled
    audited = options.audited_test or bool(still_audited)
    rule = dict(name="test", hash=tree, n=len(test), audited=audited)
    if frozen and frozen["hash"] != tree and not options.refreeze_test:
        raise UserError(
            f"expected the frozen test split to stay as it is ({frozen['n']:,} samples),"
            f" found {len(test):,} after this import",
            "send new rows elsewhere (--split-map test=pool), or freeze a new test split with --refreeze-test:"
            " reports before and after do not compare",
        )
    return rule if len(test) and rule != frozen else None


def state_after(incoming: Incoming) -> pd.DataFrame:
    """Return the bench's state as it will be after the import.

    Of labels it says nothing.
    """
    import pandas as pd

    state, known = incoming.state, incoming.known_rows
    after = pd.concat(
        [state[~state.index.isin(incoming.gone_samples.index)], incoming.new_rows.assign(keep=True)]
    )
    after.loc[[i for i in known.index if i in incoming.taken_away], "keep"] = True
    labelled = known.index[known.freed.astype(bool)]
    after.loc[labelled, "split"] = known["split"][labelled]
    return after
