"""What holds for every architecture: the listed ones, and one of the user's own."""

import subprocess
import sys

import numpy as np
import pytest

from assay.pipelines.training.architectures.base import list_architectures
from assay.pipelines.training.architectures.recipes import (
    OPTIONS,
    canonical_name,
    find_architecture,
    find_recipe,
)
from assay.pipelines.training.data import TrainingData
from assay.pipelines.training.train import estimate_seconds, fit_predict
from tests.helpers import ROOT

LISTED = [architecture.recipe.name for architecture in list_architectures()]


# rules are no fit of rows: test_rules_or_network.py has their stories
FITTED = [name for name in LISTED if not find_architecture(name).recipe.is_rules]


@pytest.fixture(params=[*FITTED, "tests.nets:linear"])
def arch(request):
    if request.param == "finetune":
        pytest.importorskip("efficientnet_lite_pytorch")
        return "finetune(side=32)"  # its default takes ten times as long
    return request.param


def two_classes(arch):
    """40 rows, dark or bright: images of 16 x 20, or vectors."""
    labels = np.arange(40) % 2
    noise = np.random.default_rng(0).integers(0, 60, (40, 16, 20, 3), dtype="u1")
    rows = noise + (150 * labels[:, None, None, None]).astype("u1")
    if find_recipe(arch).input == "words":
        rows = 1 + noise.reshape(40, -1)[:, :512].astype("i4") % 50 + 100 * labels[:, None]
    elif find_recipe(arch).input in ("embedding", "row"):
        rows = rows.reshape(40, -1)[:, :30].astype("f4")
    return TrainingData(rows, labels, 2, groups=np.arange(40))


def test_the_list_has_what_assay_brings():
    assert {"probe", "mlp", "cnn", "resnet", "finetune"} <= set(LISTED)
    assert len(set(LISTED)) == len(LISTED)


@pytest.mark.slow
def test_one_epoch_gives_probabilities_and_one_seed_one_answer(arch):
    data = two_classes(arch)
    new = data.rows[:7]
    probs = fit_predict(arch, data, new, seed=3, epochs=1)
    assert probs.shape == (7, 2) and probs.dtype == np.float32
    assert (probs >= 0).all() and np.allclose(probs.sum(1), 1, atol=1e-5)
    assert (fit_predict(arch, data, new, seed=3, epochs=1) == probs).all()
    other = fit_predict(arch, data, new, seed=4, epochs=1)
    assert (other == probs).all() == find_recipe(arch).closed_form


def test_what_it_will_cost_is_known_without_data(arch):
    shape = two_classes(arch).rows.shape[1:]
    assert 0 < estimate_seconds(arch, 40, shape, 2, epochs=1) < 60


def test_a_recipe_says_which_options_there_are(arch):
    recipe = find_recipe(arch)
    assert recipe.input in ("embedding", "pixels", "words", "row") and recipe.passes >= 1
    assert find_architecture(recipe.name).recipe.name == recipe.name
    for option, (_, kind, is_allowed) in OPTIONS.items():
        default = getattr(find_architecture(recipe.name).recipe, option)
        assert default is None or option == "epochs" or is_allowed(kind(default)), option
    if not recipe.closed_form:
        assert canonical_name(f"{recipe.name}(lr={recipe.lr})") == recipe.name


def test_the_list_is_read_without_torch():
    code = """if True:
        import sys
        from assay.pipelines.training.architectures.base import list_architectures
        sys.exit(not list_architectures() or "torch" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
