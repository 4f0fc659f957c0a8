"""The numbers that experiments, comparisons and gates show."""

from assay.pipelines.explaining.number import Number, fields_of

CONTRASTS = "curation.statistics.contrasts"

EXPERIMENT_NUMBERS = (
    Number(
        "gain",
        "what a version gained on the locked test set against the first one",
        "gain = mean accuracy of the last − mean accuracy of the first;  "
        "low, high = gain ± √(z² V_items + t² V_seeds)",
        f"{CONTRASTS}:contrast",
        4,
        (
            *fields_of("Effect", "estimate low high"),
            *fields_of("Estimate", "estimate low high given"),
            "Experiments: verdict",
            "report: verdict",
            "report: Every version and architecture",
            "report: Effects",
            "report: Where it helped",
            "report: Every class before and after",
            "report: What is confused with what",
        ),
    ),
    Number(
        "p-value",
        "how likely so large an effect were by chance, and after Holm's correction",
        "p = the α at which the interval touches 0;  Holm: the smallest p times how many effects were tested, "
        "the next times one less, …",
        "curation.statistics.multiple_testing:adjust_holm",
        4,
        (
            *fields_of("Effect", "p p_holm"),
            *fields_of("CompareFiles", "p"),
            *fields_of("Flips", "p"),
        ),
    ),
    Number(
        "verdict",
        "whether it helps",
        "helps: Holm's interval lies above 0;  hurts: below 0;  too small to matter: the 90 % interval lies within "
        "± margin;  else no evidence either way",
        "pipelines.evaluation.effects:judge_effects",
        4,
        ("Experiments: list", "report: verdict"),
    ),
    Number(
        "margin",
        "the gain that the plan calls too small to matter",
        "margin = points / 100, as the plan says",
        "pipelines.experiments.plan:check_plan",
        4,
        (*fields_of("Page", "margin"), "report: verdict"),
    ),
    Number(
        "control",
        "what the same change did to as many random labels",
        "control = accuracy of the random version − accuracy of the first, with its interval as the gain",
        "pipelines.evaluation.effects:find_random_control",
        4,
        ("report: verdict",),
    ),
    Number(
        "smallest-gain",
        "the smallest gain that this test shows four times in five",
        "smallest = the δ with Φ((δ − half width) / √(V_items + V_seeds)) = 0.8",
        "curation.statistics.power:contrast_power",
        4,
        (*fields_of("Needs", "effect smallest power"), "report: verdict"),
    ),
    Number(
        "accuracy",
        "accuracy of one version and architecture on the locked test set",
        "accuracy = mean over seeds and test samples;  low, high: Wilson's with n_eff = p (1 − p) / (half width / z)²",
        f"{CONTRASTS}:cell_accuracy",
        4,
        (
            *fields_of("MatrixRow", "accuracy balanced exact"),
            *fields_of("Compare", "first second"),
            *fields_of("ComparedModel", "accuracy balanced"),
            *fields_of("Ranked", "accuracy"),
            "report: Every version and architecture",
        ),
    ),
    Number(
        "seed-spread",
        "how far trainings of one cell differ by their seed",
        "spread = √max(0, (MS_seeds − MS_residual) / m)",
        f"{CONTRASTS}:seed_spreads",
        4,
        (*fields_of("MatrixRow", "seed_spread"), "report: Every version and architecture"),
    ),
    Number(
        "interaction",
        "whether the data are worth more to one architecture than to another",
        "interaction = (last, b) − (first, b) − (last, a) + (first, a)",
        f"{CONTRASTS}:contrast",
        5,
        ("report: Effects",),
    ),
    Number(
        "difference",
        "accuracy of one model less that of another, on what both predicted",
        "difference = mean over samples of (right by the second − right by the first), with its interval over "
        "samples and seeds",
        f"{CONTRASTS}:contrast",
        4,
        (
            *fields_of("Compare", "estimate low high"),
            *fields_of("CompareFiles", "estimate low high"),
            *fields_of("ComparedSlice", "estimate low high p p_holm"),
            *fields_of("RankedPair", "estimate low high p_holm"),
            *fields_of("Interval", "estimate low high"),
            *fields_of("Order", "difference"),
            *fields_of("Demo", "difference"),
            *fields_of("Stakes", "turning_share"),
            "Models: compared",
            "report: Frozen or end to end",
        ),
    ),
    Number(
        "gate",
        "what a check asks for, and what was found",
        "passes where the one-sided lower bound of the gain lies above what is required",
        "pipelines.evaluation.gates:judge_gates",
        4,
        (
            *fields_of("Check", "estimate low high required p"),
            *fields_of("FrozenSet", "score"),
        ),
    ),
    Number(
        "proposal-gain",
        "what a proposal gains on val",
        "passes where low ≥ −margin, or, where no margin is set, where high ≥ 0;  the interval's level rises with each "
        "look at this validation set",
        "pipelines.evaluation.proposal_checks:check_gain",
        4,
        ("Proposals: gain",),
    ),
    Number(
        "rules-or-network",
        "where the network beats the rules",
        "difference = right by the network − right by the rules, slice by slice, chosen on val and judged on test",
        "pipelines.evaluation.rules_or_network:compare_rules",
        8,
        ("report: Rules or network",),
    ),
)
