"""What each labeller says of each sample, and what measures it.

A labeller is a person, whatever a proposal names as its labeller, or the labels as they were given.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.curation.errors import UnknownName
from assay.curation.review import audit
from assay.curation.splits import LOCKED
from assay.curation.statistics import sampling
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END
from assay.curation.tasks.base import refuse_task
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.votes import CAST

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

GIVEN = "given labels"  # the labeller of what the sources say
DROPPED = "(dropped)"  # who drops a sample says that it has no class
CONSENSUS = "consensus"  # the source of a proposal that joins the votes of others, and is no voter
WORDS = f"""with {CAST.format(only="")}
select sample, who as labeller, ts, first, upto, audited,
    verdict = 'unsure' and keep is distinct from 'false' as unsure,
    case when keep = 'false' then '{DROPPED}' else label ->> '$' end as label
from word where keep = 'false' or label is not null"""
PROPOSED = """with renamed_votes as (
    select v.sample, p.labeller, p.source, p.ts, v.seq, coalesce(r.label, v.label) as label, v.confidence
    from (select value ->> 'proposal' as proposal, value ->> 'sample' as sample, seq, value ->> 'value' as label,
            (suggested ->> 'score')::double as confidence
        from edits where field = 'proposal' and value ->> 'field' = 'label' and verdict <> 'unsure') v
    join (select value ->> 'proposal' as proposal, ts, value ->> 'labeller' as labeller, value ->> 'source' as source
        from edits where field = 'proposal' and value ->> 'event' = 'open') p using (proposal)
    left join renamed r on r.was = v.label and v.seq >= r.since and v.seq < r.until
    where p.labeller <> '')
select sample, labeller, arg_max(source, seq) as source, arg_max(ts, seq) as ts, max(seq) as upto,
    arg_max(label, seq) as label, arg_max(confidence, seq) as confidence
from renamed_votes group by sample, labeller"""


@dataclass(frozen=True)
class Votes:
    """What all labellers say, of samples that are not locked."""

    state: pd.DataFrame  # the samples: what stands
    votes: (
        pd.DataFrame
    )  # sample, labeller, kind (person, labeller, consensus, given), label, ts, upto, confidence
    words: (
        pd.DataFrame
    )  # people's last words alone, unsure ones too: first, audited, unsure as well
    drawn: pd.DataFrame  # sample, random (of the random stratum), in_audit: drawn uniformly

    def names(self) -> list[str]:
        """List the labellers: people, others, the given labels."""
        order = {"person": 0, "labeller": 1, "consensus": 2, "given": 3}
        known = self.votes[["kind", "labeller"]].drop_duplicates()
        return list(known.sort_values(["kind", "labeller"], key=_order(order)).labeller)

    def of(self, name: str) -> pd.DataFrame:
        """Select what one labeller says, by sample; UnknownName for nobody."""
        found = self.votes[self.votes.labeller == name]
        if not len(found):
            some = ", ".join(self.names()) or "none yet"
            raise UnknownName(
                f"expected a labeller of this bench, found {name!r}", f"there are {some}", name, self.names()
            )  # fmt: skip
        return found.set_index("sample")

    def find_truth(self, others: Set[str]) -> pd.DataFrame:
        """Find what measures `others`: what people but them said of samples drawn at random.

        A sample counts where somebody else was the first who decided it in its draw: who looks again at what others
        decided may do so because of what they said. Frame by sample: label (the last word of such a person, an
        auditor's before others), unsure, teller, by_audit, upto.
        """
        theirs = self.words[~self.words.labeller.isin(others)]
        drawn = self.words.merge(self.drawn, on="sample", suffixes=("", "_drawn"))
        began = drawn.sort_values("first").drop_duplicates("sample")
        at_random = set(began["sample"][began.random & ~began.labeller.isin(others)])
        # of an audit the auditor is the first: nothing else was seen
        blind = theirs.merge(self.drawn[self.drawn.in_audit][["sample"]], on="sample")
        in_audit = set(blind["sample"][blind.audited])
        found = theirs[theirs["sample"].isin(at_random | in_audit)]
        found = found.assign(by_audit=found.audited & found["sample"].isin(in_audit))
        last = found.sort_values(["by_audit", "ts"]).drop_duplicates("sample", keep="last")
        columns = dict(labeller="teller")
        return last.rename(columns=columns).set_index("sample")[
            ["label", "unsure", "teller", "by_audit", "upto"]
        ]


def _order(order: dict[str, int]):
    return lambda column: column.map(order) if column.name == "kind" else column


def read_votes(bench: Bench) -> Votes:
    """Read what every labeller says: in the log, in proposals, and as given."""
    import pandas as pd

    refuse_task(
        bench,
        "rates of labellers",
        "what people said of each class at random: assay status; who said what: assay blame SAMPLE",
    )
    state = bench.state()
    state = state[~state.split.isin(LOCKED)]
    with bench.connect() as con:
        offer_names(con)
        words = con.execute(WORDS, dict(upto=END)).df()
        proposed = read_proposed(con)
    words, proposed = (f[f["sample"].isin(state.index)] for f in (words, proposed))
    # what a labeller's merged proposal says in the log is its own word, and no person's
    mechanical = words.labeller.isin(set(proposed.labeller))
    people = words[~mechanical].assign(unsure=words.unsure.fillna(False).astype(bool))
    given = state.given_label.dropna()
    given = pd.DataFrame(
        dict(sample=given.index, labeller=GIVEN, label=given.to_numpy(object), upto=0)
    )
    parts = [people[~people.unsure].assign(kind="person"), proposed, given.assign(kind="given")]
    columns = ["sample", "labeller", "kind", "label", "ts", "upto", "confidence"]
    votes = pd.concat([part.reindex(columns=columns) for part in parts if len(part)] or [given])
    return Votes(state, votes.reset_index(drop=True), people, find_drawn(bench, state, people))


def read_proposed(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Read what the labellers of proposals say, each the last word of it."""
    found = con.execute(PROPOSED).df()
    kind = (found.source == CONSENSUS).map({True: CONSENSUS, False: "labeller"})
    return found.assign(kind=kind)


def find_drawn(bench: Bench, state: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Find the samples that were drawn uniformly and decided by people.

    The random stratum (see sampling.random_stratum, but of people alone), and the audits of train and val.
    """
    import pandas as pd

    order = sampling.random_order(state)
    begun = order.isin(people["sample"])
    first = order[: len(begun) if begun.all() else begun.argmin()]
    audited = [audit.find_random_sample(bench, split)[0].index for split in ("train", "val")]
    audited = audited[0].append(audited[1])
    ids = first.union(audited)
    return pd.DataFrame(dict(sample=ids, random=ids.isin(first), in_audit=ids.isin(audited)))
