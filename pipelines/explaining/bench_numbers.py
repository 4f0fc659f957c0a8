"""The numbers that are shown of a whole bench."""

from assay.pipelines.explaining.number import Number, fields_of

PROGRESS = "curation.review.progress"

BENCH_NUMBERS = (
    Number(
        "errors-left",
        "wrong labels that nobody has found yet",
        "errors left = max(0, population · hits / sure looks at random − wrong ones that people found)",
        f"{PROGRESS}:summarize_reviews",
        7,
        (
            *fields_of("Review", "errors_left errors_between"),
            "Overview: errors left",
            "Overview: Errors left",
            "Review: errors left",
        ),
    ),
    Number(
        "share-wrong",
        "share of all labels that came wrong",
        "share = hits / sure looks at random;  low, high: all numbers w of wrong labels among N with "
        "P(looks | w) > 0.05 P(looks), P(looks) over all w",
        "curation.statistics.errors_left:bound_wrong_anytime",
        7,
        (*fields_of("Review", "share share_between"), "Review: random"),
    ),
    Number(
        "flagged",
        "labels that look wrong and nobody has reviewed",
        "flagged = min(1, c (1 + 0.5 c)) of the labels that the model contradicts, c = counted / contradicted; "
        "all of them where c < 0.2, in between where c < 0.35;  counted by the confident joint",
        "curation.label_quality.flagging:fit_cuts",
        3,
        (
            "Overview: labels that the model doubts and nobody has reviewed",
            "Cluster.flagged",
            "Gap.flagged",
        ),
    ),
    Number(
        "flag-precision",
        "share of the flagged labels that are wrong",
        "precision = wrong ones / flagged ones, of those drawn at random",
        f"{PROGRESS}:measure_flags",
        1,
        (*fields_of("Flags", "low high"), "Overview: flags", "Review: flags"),
    ),
    Number(
        "class-rates",
        "how often labels of a class are wrong, flagged rightly, flagged though right",
        "rate = hits / looks, of those drawn at random, with Wilson's interval",
        f"{PROGRESS}:summarize_classes",
        1,
        ("Overview: classes reviewed at random",),
    ),
    Number(
        "reviewed",
        "samples that people decided about, and how many were wrong",
        "wrong = label changed, or sample dropped, of those reviewed",
        f"{PROGRESS}:find_wrong",
        7,
        ("Overview: reviewed", "Review: reviewed"),
    ),
    Number(
        "next-labels",
        "wrong ones to expect among the next labels of the queue",
        "expected = Σ P(wrong | score),  P = sigmoid(a + b logit score), fitted to what people looked at",
        "curation.review.next_hundred:expect_next",
        7,
        (*fields_of("NextLabels", "wrong"), "Review: next"),
    ),
    Number(
        "next-gain",
        "what reviewing the next labels gains, in probability of the right class on val",
        "gain = mean over val of Σ y Δp, Δs = Σ P(wrong) A⁻¹x (new − old)",
        "curation.label_quality.expected_gain:expect_gain",
        7,
        (*fields_of("NextGain", "gain low high"), "Review: next gain"),
    ),
    Number(
        "live-gain",
        "gain on val since the session began",
        "gain = (better − worse) / n;  low, high = gain ± √((V + ρ) ln((V + ρ) / (ρ α²))) / n,  "
        "V = better + worse, ρ = 20, α = 0.05",
        "curation.statistics.sequential:live_gain",
        4,
        ("Review: gain",),
    ),
    Number(
        "test-noise",
        "share of the test labels that are wrong",
        "share = wrong / sure looks of a random audit;  low, high: all numbers of wrong labels with "
        "P(≥ hits) > 0.025 and P(≤ hits) > 0.025 (hypergeometric)",
        "curation.review.label_noise:estimate_noise",
        4,
        (
            *fields_of("Noise", "share share_between"),
            *fields_of("Stakes", "noise expected"),
            "Audit: noise",
        ),
    ),
    Number(
        "agreement-with-oneself",
        "how often a reviewer says the same twice",
        "agreement = same answers / repeats, with Wilson's interval",
        "curation.statistics.wording:format_rate",
        4,
        fields_of("Audit", "agreement"),
    ),
    Number(
        "labeller-error",
        "how often a labeller is wrong",
        "error = wrong / looks at random;  low, high hold at all looks together",
        "curation.review.labeller_rates:measure_labellers",
        7,
        (
            *fields_of("MeasuredLabeller", "error low high least most coverage confidence"),
            *fields_of("Confusion", "share low high"),
            *fields_of("LabellersCompare", "estimate low high"),
            *fields_of("JudgedMethod", "error low high least most gain gain_low gain_high"),
            "labellers",
        ),
    ),
    Number(
        "val-accuracy",
        "share of val labels that a model has right",
        "accuracy = right / n, with an interval over seeds and samples",
        "curation.predictions.runs:tabulate_versions",
        4,
        (
            *fields_of("Run", "accuracy low high"),
            *fields_of("ValAccuracy", "estimate low high"),
            *fields_of("Cluster", "accuracy low high"),
            "Overview: Validation accuracy",
            "Models: accuracy",
        ),
    ),
    Number(
        "gap-error-rate",
        "how often the model is wrong in a gap, on val",
        "rate = errors / judged, with Wilson's interval;  p by Fisher's exact test against the rest, "
        "q by Benjamini and Hochberg over all regions that were asked about",
        "curation.slicing.gap_evidence:GapEvidence.make_row",
        6,
        (
            *fields_of("Gap", "rate low high rest p q expected"),
            "Gaps: wrong on validation",
            "report: What the data do not show",
        ),
    ),
    Number(
        "gap-share",
        "how well train covers a region",
        "ratio = (share of train in it) / (share of what it is compared with)",
        "curation.slicing.gaps:find_gaps",
        6,
        (*fields_of("Gap", "ratio ratio_low ratio_high"), "Gaps: in train"),
    ),
    Number(
        "gap-explains",
        "errors of a gap beyond those to be expected, each counted in one gap",
        "explains = errors − expected,  expected = Σ over classes of (its error rate elsewhere · its labels here)",
        "curation.slicing.gap_ranking:rank_gaps",
        6,
        (*fields_of("Gap", "explains explains_low explains_high"), "Gaps: cards"),
    ),
    Number(
        "cluster-spread",
        "how loose a cluster is, and what is in it",
        "distance = mean over its samples of the mean distance to their neighbours;  share of a label = its samples / "
        "all in it",
        "curation.slicing.cluster_table:tabulate_clusters",
        6,
        fields_of("Cluster", "labels distance"),
    ),
    Number(
        "trigger-share",
        "share of what is there that a trigger would catch",
        "base = caught / looked at, of the samples that were there before;  threshold = the median likeness of each "
        "seed to the others",
        "curation.selection.triggers:estimate_base_rate",
        6,
        (*fields_of("TriggerAdd", "base threshold"), *fields_of("TriggerRunRow", "base")),
    ),
)
