"""Estimates: made records of a known law give the known hours, and a real scan's record its own seconds back."""

import json

import numpy as np
import pytest

import assay
from assay import UserError
from assay.pipelines.estimates.estimate import Asked, estimate
from assay.pipelines.estimates.growth import fit_curve
from assay.pipelines.estimates.prices import read_prices
from assay.pipelines.estimates.records import Record, read_bench_records
from assay.pipelines.indexing.costs import DRIVER, Cost
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.sharding import ROWS, ShardOptions
from tests.helpers import bench_of, digits, digits_bench, run_assay

PRICES = dict(
    currency="EUR", node_hour=2.0, storage_gb_month=0.5, requests_1000=3.0, egress_gb=0.25
)
silent = lambda line: None  # noqa: E731


def made_scan(n, costs, shards=4, workers=2, **about):
    """A record of n samples; costs: {(step, part): (seconds by the wall clock, tasks)}."""
    rows = [
        Cost(
            step,
            part,
            1,
            tasks,
            wall,
            wall,
            wall,
            0.0,
            n * 1000,
            n * 500,
            part == "fit_sample",
            10**8 if step == "embed" else n // shards * 4000,
        )
        for (step, part), (wall, tasks) in costs.items()
    ]
    given = dict(embedder="pixels", numbers=64, effort=1, engine="local") | about
    return Record("scan", "2026-01-02T00:00:00", "a CPU", 2, "image", n, rows, workers=workers, shards=shards, **given)  # fmt: skip


def by_law(n):
    """A scan of known laws: 2 ms a sample on workers, a driver of 5 s and 10 us a sample, a fit of 1 task by n ** 1.5."""
    return made_scan(
        n,
        {
            ("embed", "embed by pixels"): (0.002 * n / 2, 4),
            ("neighbours", "fit_sample"): (1e-6 * n**1.5, 1),
            ("neighbours", DRIVER): (5 + 1e-5 * n, 1),
        },
    )


def test_the_hours_of_a_known_law():
    n, nodes, cores = 10**9, 20, 16
    found = estimate([by_law(20_000), by_law(100_000)], Asked(n, 256, nodes, cores), read_prices(PRICES))  # fmt: skip
    stages = {stage.stage: stage for stage in found.stages}
    shards, workers = n // ROWS, nodes * cores
    rounds = -(-shards // workers)
    assert stages["embed"].hours == pytest.approx(0.002 * n / shards * rounds / 3600)
    serial = (1e-6 * n**1.5 + 5 + 1e-5 * n) / 3600
    assert stages["neighbours"].hours == pytest.approx(serial, rel=1e-6)
    assert stages["neighbours"].serial_hours == pytest.approx(serial, rel=1e-6)
    # Amdahl: of one worker's hours, and with nodes without end
    alone = 0.002 * n / 3600 + serial
    assert found.scan_serial_share == pytest.approx(serial / alone)
    assert found.most_speedup == pytest.approx((stages["embed"].hours + serial) / serial)
    growth = {growth.part: growth for growth in found.growth}
    assert growth["fit_sample"].exponent == pytest.approx(1.5) and growth["fit_sample"].serial
    assert growth["embed by pixels"].exponent == pytest.approx(1) and growth[DRIVER].counted == 1
    assert any("10,000 times the largest" in line for line in found.assumed)


def test_money_requests_and_memory_by_hand():
    n, nodes = 10_000_000, 3
    imported = Cost(
        "import", DRIVER, 1, 1, 50, 50, 50, 0, 40_000_000_000, 2_000_000_000, False, 10**9
    )
    records = [
        Record("import", "2026-01-02", "a CPU", 2, "image", 1_000_000, [imported], side=256),
        by_law(1_000_000),
    ]
    found = estimate(records, Asked(n, None, nodes, 4, shard_samples=1000), read_prices(PRICES))
    stages = {stage.stage: stage for stage in found.stages}
    # 10,000 shards, 10 lists of 1,000 names, and two that open the source; one node imports
    assert stages["import"].requests == 10_012
    hours = 500 / 3600
    money = hours * 2 + 10.012 * 3 + 20 * 0.5 + 400 * 0.25
    assert stages["import"].money == pytest.approx(money)
    # 100 shards of ROWS, six requests each
    assert stages["embed"].requests == 600
    embed = stages["embed"]
    assert embed.written_gb == pytest.approx(5) and embed.read_gb == pytest.approx(10)
    assert embed.money == pytest.approx(embed.hours * nodes * 2 + 0.6 * 3 + 5 * 0.5)
    assert found.total.money == pytest.approx(sum(stage.money for stage in found.stages))
    # 4 KB a sample of a shard of ROWS; what embeds holds a part of a shard at a time
    assert found.worker_gb == pytest.approx(0.4) and found.node_gb == pytest.approx(1.6)
    assert any("of one size alone: import, embed, neighbours" in line for line in found.assumed)


def test_curves_of_known_laws():
    n = np.array([1000, 4000, 20_000])
    line = fit_curve(n, 3 + 0.01 * n)
    assert line.fixed == pytest.approx(3) and line.at(10**6) == pytest.approx(10_003)
    assert line.exponent < 1 and line.low < line.exponent < line.high
    power = fit_curve(n, 2e-5 * n**1.2)
    assert power.exponent == pytest.approx(1.2) and power.low == pytest.approx(1.2)
    assert power.at(10**6) == pytest.approx(2e-5 * 1e6**1.2)
    # what took less than a second grows by chance
    assert fit_curve(n, 2e-9 * n**1.9, sure=1).power == 1
    with np.errstate(all="raise"):
        twice = fit_curve([1000, 1000, 10_000], [5.0, 6.0, 55.0])
    assert twice.at(10_000) == pytest.approx(55, rel=0.1)
    alone = fit_curve([1000], [5.0])
    assert alone.exponent is None and alone.at(3000) == pytest.approx(15)
    assert fit_curve(n, [5.0, 4.0, 4.5]).at(10**9) == pytest.approx(4.5)


def test_seconds_that_others_had_the_core_are_left_out_and_said():
    busy = by_law(100_000)
    for cost in busy.costs:
        cost.waited, cost.wall, cost.seconds = cost.wall, 2 * cost.wall, 2 * cost.seconds
    asked, prices = Asked(100_000), read_prices(None)
    quiet = estimate([by_law(100_000)], asked, prices)
    found = estimate([busy], asked, prices)
    assert found.total.hours == pytest.approx(quiet.total.hours)
    assert any("50%" in line and "quiet" in line for line in found.assumed)
    assert not any("quiet" in line for line in quiet.assumed)


@pytest.mark.daily
def test_a_scan_by_shards_leaves_its_own_seconds(tmp_path):
    bench = assay.open(digits_bench(900, tmp_path).path)
    options = ScanOptions(embedder="pixels", sharding=ShardOptions(2))
    scan(bench, options, say=silent)
    records = read_bench_records(bench)
    assert [(record.kind, record.samples) for record in records] == [("import", 900), ("scan", 900)]
    one = records[1]
    assert (one.numbers, one.shards, one.embedder, one.effort) == (768, 2, "pixels", 1)
    cores = min(one.workers, one.cores)
    found = bench.estimate(900, cores=cores)
    # two shards of 450 are two tasks here, and one by ROWS: nothing is shared out
    spent = sum(
        cost.wall * (1 - cost.waited / cost.seconds) * (1 if cost.tasks == 1 else min(cores, 2))
        for cost in one.costs
    )
    measured = sum(stage.hours for stage in found.stages if stage.stage != "import") * 3600
    assert measured == pytest.approx(spent, rel=0.02, abs=0.1)
    # what goes on from an earlier scan is no measure of a whole one
    scan(bench, options, say=silent)
    assert len(read_bench_records(bench)) == 2
    assert bench.check(progress=False) == []


@pytest.mark.daily
def test_this_machine_measured_on_made_samples(tmp_path, monkeypatch):
    from assay.pipelines.estimates import measure

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    monkeypatch.setattr(measure, "EMBEDDED", (60, 120))
    monkeypatch.setattr(measure, "SIZES", (1000, 2000))
    words = "estimate", "--samples", "1e6", "--embedder", "pixels", "--side", 64, "--json"
    assert run_assay(*words)[0] == 2, "nothing is measured yet"
    status, out, err = run_assay(*words, "--measure")
    assert status == 0, err
    found = json.loads(out)
    steps = [stage["stage"] for stage in found["stages"]]
    assert steps[:3] == ["import", "read", "embed"] and {"quality", "labels"} <= set(steps)
    assert all(growth["exponent"] is not None for growth in found["growth"])
    parts = {growth["part"] for growth in found["growth"]}
    assert {"join_members", "embed by pixels", "image quality"} <= parts, "as of millions: by cells"
    again = json.loads(run_assay(*words)[1])
    assert again == found, "it is kept"
    assert run_assay(*words[:-3], "--side", 32, "--json")[0] == 2, "images of another side are not"


@pytest.mark.parametrize(
    "words, said",
    [
        (["--samples", "0"], "--samples from 1"),
        (["--samples", "-5"], "--samples from 1"),
        (["--samples", "many"], "as a whole number"),
        (["--samples", "1.5"], "as a whole number"),
        (["--samples", "inf"], "as a whole number"),
        ([], "found no --samples"),
        (["--samples", "1e9", "--nodes", "0"], "--nodes from 1"),
        (["--samples", "1e9", "--cores", "-1"], "--cores from 1"),
        (["--samples", "1e9", "--side", "10"], "--side from 16"),
        (["--samples", "1e9", "--shard-samples", "0"], "--shard-samples from 1"),
        (["--samples", "1e9", "--embedder", "lite9"], "an embedder"),
        (["--samples", "1e9", "--embedder", "columns"], "image or text"),
        (["--samples", "1e9"], "nothing measured"),
        (["--samples", "1e9", "--prices", "{none}"], "prices in TOML"),
    ],
)
def test_what_cannot_be_estimated_is_refused(words, said, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    words = [word.replace("{none}", str(tmp_path / "none.toml")) for word in words]
    status, out, err = run_assay("estimate", *words)
    assert status == 2 and said in err and "hint" in err, err


@pytest.mark.parametrize(
    "wrong, said",
    [
        (dict(node_hours=1.0), "node_hours"),
        (dict(node_hour=-1.0), "node_hour"),
        (dict(egress_gb="a lot"), "egress_gb"),
        (dict(currency=3), "currency"),
        (dict(node_hour=float("inf")), "node_hour"),
        (dict(storage_gb_month=None), "storage_gb_month"),
    ],
)
def test_prices_that_are_none(wrong, said, tmp_path):
    given = {key: value for key, value in (PRICES | wrong).items() if value is not None}
    file = tmp_path / "prices.toml"
    file.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in given.items()).replace("Infinity", "inf"))  # fmt: skip
    with pytest.raises(UserError, match=said):
        read_prices(file)


def test_the_example_of_prices_is_written_once_and_read(tmp_path):
    file = tmp_path / "prices.toml"
    assert run_assay("estimate", "--write-prices", file)[0] == 0
    assert read_prices(file) == read_prices(None) and "no provider" in file.read_text()
    assert run_assay("estimate", "--write-prices", file)[0] == 2, "an edited one is not overwritten"


def test_records_that_do_not_go_together(tmp_path):
    asked, prices = Asked(10**6), read_prices(None)
    costs = {("neighbours", DRIVER): (1.0, 1)}
    with pytest.raises(UserError, match="expected scans of one effort, found 0, 1"):
        estimate([by_law(1000), made_scan(2000, costs, effort=0)], asked, prices)
    with pytest.raises(UserError, match="no record"):
        estimate([made_scan(1000, {}, shards=1)], asked, prices)
    bench = bench_of(digits(60), tmp_path)
    with pytest.raises(UserError, match="no record"):
        read_bench_records(bench)
    (bench.arrays / "measured.jsonl").write_text('{"kind": "scan"')
    with pytest.raises(UserError, match="damaged"):
        read_bench_records(bench)
