"""What the map is told: a place and a colour for each row of Browse's table, and nothing of test and guard."""

import json

import numpy as np
import pandas as pd
import pytest

import assay
from assay.app.server import map_data
from assay.app.server.browse_view import open_view
from assay.app.server.picked import pick_samples
from assay.app.server.review_session import open_session
from assay.curation.features import image_map, neighbor_graph, projection
from assay.curation.splits import LOCKED
from assay.pipelines.indexing import draw_map


@pytest.fixture
def view(scanned):
    image_map.sketch_map(scanned)
    return open_view(open_session(scanned.path))


def unpack(packed, kind):
    """(header, array) of an answer."""
    size = int(np.frombuffer(packed, "<u4", 1)[0])
    assert size % 4 == 0
    return json.loads(packed[4 : 4 + size]), np.frombuffer(packed, kind, offset=4 + size)


def test_every_column_colours_what_it_says_and_no_test_sample(view):
    table = view.refresh()
    state = view.bench.state()
    locked = state["split"].isin(LOCKED).to_numpy()
    assert locked.sum() == 120
    for name, column in table.columns.items():
        if name in map_data.NO_COLOUR:
            continue
        header, codes = unpack(map_data.pack_colours(view, name), "<u2")
        assert header["table"] == view.stamp and len(codes) == len(state)
        hidden = column.hidden_for_test
        assert (codes[locked] == map_data.LOCKED).all() == hidden, name
        for code, value in enumerate(header["values"]):
            at = np.flatnonzero(codes == code)
            shown = table.rows(at, [name])[name]
            first = shown.map(lambda v: v[0]) if column.kind == "list" else shown
            assert set(first) == {value}, name
            assert not (hidden and locked[at].any())


def test_a_score_is_coloured_by_the_bars_of_its_facet(view):
    table = view.refresh()
    header, codes = unpack(map_data.pack_colours(view, "score"), "<u2")
    (facet,) = table.facets("", ["score"])
    bars = np.bincount(codes[codes < map_data.OTHER], minlength=len(facet.counts))
    assert bars.tolist() == facet.counts and header["edges"] == facet.edges
    assert (codes == map_data.NONE).sum() == facet.missing


def test_more_values_than_there_are_colours_share_one():
    colours = map_data.rank_values(np.r_[np.arange(1500), np.zeros(9, int), -1], list(range(1500)))
    assert colours.values[0] == 0 and len(colours.values) == map_data.MOST
    assert (colours.codes == map_data.OTHER).sum() == 500 and colours.codes[-1] == map_data.NONE
    assert (colours.codes == 0).sum() == 10


def test_places_are_those_of_the_table_and_what_came_later_has_none(view):
    header, xy = unpack(map_data.pack_places(view), "<f4")
    drawn = image_map.load_map(view.bench)
    near = image_map.locate_samples(drawn, view.bench.state())
    xy = xy.reshape(-1, 2)
    assert np.corrcoef(xy[:, 0], near[:, 0])[0, 1] > 0.9999 and 0 <= xy.min() <= xy.max() <= 1
    assert header["left"] == 0 and header["method"] == "pca"
    others = image_map.ImageMap(drawn.key, drawn.hashes[5:], drawn.xy[5:], "umap")
    lost = np.isnan(image_map.locate_samples(others, view.bench.state())[:, 0])
    gone = view.bench.state().content_hash.isin([h.decode() for h in drawn.hashes[:5]])
    assert lost.sum() == gone.sum() > 0 and (lost == gone).all()
    with pytest.raises(assay.UserError, match="expected one of umap, components"):
        map_data.pack_places(view, "tsne")


def test_what_is_picked_is_an_order_with_its_captions(view):
    view.refresh()
    rows = [7, 3, 11]
    said = pick_samples(view, dict(table=view.stamp, only=rows))
    state = view.bench.state()
    assert said["ids"] == list(state.index[rows]) == view.read_tiles(said["of"], 0)["ids"]
    assert view.find_order(said["of"]).positions.tolist() == rows and said["total"] == 3
    with pytest.raises(assay.UserError, match="samples came or went"):
        pick_samples(view, dict(table="another", only=rows))


@pytest.mark.daily
def test_umap_tells_its_epochs(scanned):
    graph, told = neighbor_graph.Graph.load(scanned.arrays / "graph.npz"), []
    start = image_map.sketch_map(scanned).xy
    projection.run_umap(graph.neighbours, graph.distances, start, lambda *e: told.append(e))
    assert told[-1][0] == told[-1][1] and len(told) > 5 and told == sorted(told)


def test_components_stand_beside_the_map_by_umap(scanned):
    graph = neighbor_graph.Graph.load(scanned.arrays / "graph.npz")
    pca = image_map.sketch_map(scanned)
    image_map.save_map(scanned, graph, pca.xy[:, ::-1], "umap")
    assert image_map.load_components(scanned) is None
    draw_map.refine_map(scanned, "components")
    assert np.allclose(image_map.load_components(scanned).xy, pca.xy, atol=1e-3)
    assert np.array_equal(image_map.load_map(scanned).xy, pca.xy[:, ::-1])
    scanned.edit(pd.DataFrame(dict(sample=scanned.state().index[:1], label="1")), "ann")
    assert image_map.load_components(scanned) is not None, "labels move nobody"
