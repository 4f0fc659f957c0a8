"""A report's page as its reader's browser takes it apart, and hostile text to fill it with."""

from html.parser import HTMLParser

HOSTILE = """<script>alert("x")</script><img src=http://evil.example onerror='go()'>{0}"""
VOID = {"meta", "img", "br", "input"}
PICTURE = dict(
    jpeg=b"\xff\xd8",
    name="cell0001.png",
    was="defective",
    now="functional",
    text="as suggested, score 0.03",
)
FLIP = dict(
    jpeg=b"\xff\xd8",
    name="cell0777.png",
    was="functional",
    now="defective",
    text="labelled defective; right in 0% of runs before, 100% after",
)
PICTURES = dict(
    changed=[PICTURE],
    n_changed=36,
    n_dropped=2,
    who=["ann"],
    open=[PICTURE],
    n_open=238,
    no_queue=None,
    gained=[FLIP],
    lost=[],
)


class Parsed(HTMLParser):
    """A page as its reader's browser takes it apart; refuses tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, text):
        if self.open and self.open[-1] != "style":
            self.texts.append((tuple(self.open), text))

    def text(self, inside=None):
        return " ".join(
            "".join(t for path, t in self.texts if inside is None or inside in path).split()
        )

    def all(self, tag, kind=None):
        return [a for t, a, _ in self.tags if t == tag and (kind is None or a.get("class") == kind)]


N = 525


def estimate(value, low, high, seeds=(3, 3)):
    return dict(estimate=value, low=low, high=high, n=N, seeds=list(seeds))


def change(kind, name, value, low, high, **more):
    version, against = name.split(" against ")[:2]
    return (
        dict(kind=kind, name=name, version=version, against=against)
        | estimate(value, low, high)
        | more
    )


def cell(version, arch, value, **more):
    accuracy, balanced = (
        estimate(value, value - 0.03, value + 0.03, [3]),
        estimate(value - 0.06, value - 0.1, value - 0.02, [3]),
    )
    kind = version if version in ("control", "ceiling") else "version"
    about = dict(
        version=version,
        kind=kind,
        arch=arch,
        n_train=1837,
        seed_spread=0.004,
        diverged=[],
        seconds=30.0,
    )
    return about | dict(accuracy=accuracy, balanced=balanced) | more


def region(kind, name, n, value, half, p, verdict, before=0.8):
    if value is None:
        return dict(kind=kind, name=name, n=n, verdict=verdict) | dict.fromkeys(
            ("before", "after", "estimate", "low", "high", "p", "p_holm")
        )
    sides = {
        k: estimate(x, x - half, min(1.0, x + half))
        for k, x in (("before", before), ("after", before + value))
    }
    return dict(
        kind=kind,
        name=name,
        n=n,
        **sides,
        estimate=value,
        low=value - half,
        high=value + half,
        p=p,
        p_holm=p,
        verdict=verdict,
    )


def batch(name, why, changed, value, half, verdict):
    gain = dict(
        estimate=value, low=value - half, high=value + half, p_holm=0.2 if changed else None
    )
    loss = dict(logloss=-value, logloss_low=-value - half, logloss_high=-value + half)
    about = dict(
        batch=name,
        who="ann",
        why=why,
        ts="2026-11-20T10:00:00",
        edits=changed + 5,
        reviews=changed + 5,
        changed=changed,
    )
    return about | gain | loss | dict(verdict=verdict)


MAIN = change(
    "data",
    "v2 against v1",
    0.002,
    -0.010,
    0.014,
    p=0.7,
    p_holm=1.0,
    verdict="no evidence either way",
)
MLP = change(
    "architecture", "mlp against probe", 0.031, 0.012, 0.050, p=1e-4, p_holm=3e-4, verdict="helps"
)
BOTH = change(
    "interaction",
    "v2 against v1, mlp against probe",
    0.011,
    -0.006,
    0.028,
    p=0.2,
    p_holm=0.4,
    verdict="no evidence either way",
)
PLAN = dict(
    question="Did 100 reviews help?",
    versions=["v1", "v2"],
    architectures=["probe", "mlp"],
    seeds=[0, 1, 2],
    margin=0.5,
)
CONTROL = change("control", "control against v1", 0.0, -0.007, 0.007)
GAIN = [dict(reviews=k, minutes=k / 6, changed=k // 3, estimate=x, low=x - k / 9000, high=x + k / 8000) for k, x in
        ((0, 0.0), (25, 0.006), (50, 0.009), (70, 0.011), (75, 0.011), (105, 0.012))]  # fmt: skip
COSTS = dict(
    first="v1",
    last="v2",
    review=dict(
        decisions=105,
        samples=105,
        timed=100,
        seconds=990.0,
        minutes=17.3,
        estimated=dict(decisions=5, seconds_each=9.6, seconds=48.0),
    )
    | dict(reason=None, who=["ann"], made=None, test_audits=dict(decisions=0)),
    compute=dict(
        matrix=[],
        architectures=dict(probe=dict(runs=9, seconds=20.0, per_run=2.2)),
        runs=18,
        seconds=1980.0,
    ),
    rates=dict(
        review=dict(estimate=0.007, low=-0.035, high=0.049, hours=0.29, includes_zero=True),
        review_reason=None,
        architectures=[
            dict(
                arch="mlp",
                against="probe",
                estimate=0.51,
                low=0.2,
                high=0.83,
                hours=0.06,
                includes_zero=False,
            )
        ],
    ),
    curve=dict(
        points=GAIN, n=262, validation_changed=4, other=0, scope="this probe on these labels"
    )
    | dict(
        last_third=dict(
            reviews=[70, 105],
            estimate=0.001,
            low=-0.003,
            high=0.005,
            verdict="no evidence that it still gained",
        )
    ),
    batches=dict(
        batches=[
            batch("edit-1", "first hundred", 30, 0.014, 0.009, "helps"),
            batch("edit-2", "", 6, -0.002, 0.006, "no evidence either way"),
            batch("edit-3", "only confirmed", 0, 0.0, 0.0, "changed nothing"),
        ],
        left_out=0,
        n=262,
        scope="this probe on these labels",
    ),
    reason=None,
)
BEFORE, AFTER = [[300.0, 50.0], [40.4, 134.6]], [[310.0, 40.0], [42.0, 133.0]]
DIFFERENCE = [[10.0, -10.0], [1.6, -1.6]]
WHERE = dict(
    version="v2",
    against="v1",
    slices=[
        region("class", "functional", 350, 0.029, 0.02, 0.01, "helps", 0.857),
        region("class", "defective", 175, -0.009, 0.03, 1.0, "no evidence either way", 0.769),
        region("metadata", "module: mono", 200, 0.01, 0.03, 1.0, "no evidence either way"),
        region("metadata", "module: other", 4, None, None, None, "too few"),
    ],
    confusion=dict(
        classes=["defective", "functional"],
        by_arch={
            a: dict(before=BEFORE, after=AFTER, difference=DIFFERENCE) for a in ("probe", "mlp")
        },
        mean=dict(before=BEFORE, after=AFTER, difference=DIFFERENCE),
        changed=[
            {
                "from": "defective",
                "to": "functional",
                "before": 50.0,
                "after": 40.0,
                "difference": -10.0,
            }
        ],
    ),
    flips=dict(gained=[{}], lost=[], n_gained=31, n_lost=0),
    tested=3,
    notes=[
        "3 slices were tested, and Holm allows for all of them together; under 10 test samples a slice is not tested"
    ],
)
REVIEW = dict(
    reviewed=105,
    wrong=36,
    unsure=0,
    population=2099,
    sure_at_random=60,
    hits=3,
    unsure_at_random=0,
    share=(0.05, 0.017, 0.137),
    share_between=None,
    errors_left=(97.3, 31.0, 260.0),
    errors_between=None,
)
RULES = dict(
    rules="rules(office:classify)",
    network="mlp",
    version="v2",
    n_val=500,
    n_test=N,
    abstained=12,
    accuracy=dict(
        rules=dict(estimate=0.7, low=0.65, high=0.75),
        network=dict(estimate=0.8, low=0.75, high=0.85),
    ),
    slices=[
        region("metadata", "site = old", 150, -0.3, 0.05, 0.001, "hurts") | dict(winner="rules")
    ],
    tested=1,
    mix=dict(
        default="network",
        chosen=[dict(kind="metadata", name="site = old", n=150)],
        by_rules=150,
        accuracy=dict(estimate=0.85, low=0.8, high=0.9),
        gains=[
            dict(against=of, estimate=0.05, low=0.01, high=0.09, p_holm=0.01, verdict="helps")
            for of in ("network", "rules")
        ],
    ),
    mix_reason=None,
    costs=dict(lines=7, labels=750, seconds_rules=0.1, seconds_network=3.0),
    notes=["the network is mlp"],
)
POINT = dict(version="v1", n_train=500, estimate=0.8, low=0.75, high=0.85)
BETTER = dict(estimate=0.05, low=0.01, high=0.09, p_holm=0.01, verdict="helps")
END_TO_END = dict(
    frozen="probe",
    end_to_end="cnn",
    curves=[
        dict(base="v1", arch=a, points=[POINT | dict(n_train=n) for n in (60, 500)])
        for a in ("probe", "cnn")
    ],
    gains=[dict(kind="gain", name="v1", version="v1", n_train=500) | BETTER],
    interactions=[dict(kind="interaction", name="v1 against part", about="labels") | BETTER],
    answer="End to end, by cnn with 500 labels of v1",
    notes=["probe and cnn are compared"],
)
REPORT_DATA = dict(
    question="Did 100 reviews help?",
    verdict="Not shown: 105 reviews raised accuracy from 79.9 to 80.1 %, +0.2 points [-1.0, +1.4], v2 against v1; "
    "525 test samples and 3 seeds would show 1.8 points or more.",
    interval=MAIN,
    interaction=BOTH,
    control=CONTROL
    | dict(
        beyond=estimate(0.002, -0.011, 0.015),
        review=dict(reviewed=105, wrong=6),
        seed=None,
        estimated=False,
    ),
    **dict.fromkeys(("interval_reason", "interaction_reason", "control_reason", "seeds_note")),
    n_test=N,
    seeds=[0, 1, 2],
    tree=dict(v1="a" * 32, v2="b" * 32),
    matrix=[
        cell(v, a, 0.8 + 0.03 * (a == "mlp"))
        for v in ("v1", "v2", "control")
        for a in ("probe", "mlp")
    ],
    effects=[MAIN, MLP, BOTH],
    beside=[CONTROL, change("ceiling", "ceiling against v1", 0.001, -0.012, 0.014)],
    per_architecture=[
        change("data", "v2 against v1", 0.002, -0.01, 0.014, arch=a) for a in ("probe", "mlp")
    ],
    power=dict(smallest=0.018, asked=0.005, power=0.12, samples=6800, seeds=None),
    diverged=[],
    failed=[],
    fairness=dict(
        test="v2",
        hash="c" * 32,
        n=N,
        near_duplicates=dict(v1=0, v2=3),
        accesses=2,
        first="2026-11-21T08:00:00",
        edits=14,
    ),
    costs=COSTS,
    where=WHERE,
    margin=0.005,
    test=dict(n=N, hash="c" * 32, audited=True, noise="0 of 5, too few for a rate"),
    review=REVIEW,
    code=["e8366099f30d"],
    plan=PLAN | dict(control="control"),
    log=[dict(kind="commit", name="v1", who="ann", ts="2026-11-22T19:15:35", why="as imported")],
    made=dict(
        bench="cells", embedding="lite0-fp32", packages={"Python": "3.11.7", "numpy": "2.4.6"}
    ),
)
