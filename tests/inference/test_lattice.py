"""The lattice: every pixel is owned, origins keep to the stride, edges carry no weight."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.job import Compute
from fusion_mapper.inference.lattice import BlockLayout, Lattice, make_lattice, reflected
from fusion_mapper.models.card import Card, Channel, ClassInfo, Output, Slot, Tiling
from hypothesis import given
from hypothesis import strategies as st


def card(
    radius: int | None, stride: int, tile: int = 256, fixed: bool = False, ratio: int = 1, margin: int = 0
) -> Card:
    slots = (Slot("imagery", "imagery", (Channel("red"),), "x", grid_ratio=ratio),)
    outputs = (Output("y", "semantic-segmentation", (ClassInfo(1, "water"),), margin=margin),)
    tiling = Tiling(tile, fixed)
    return Card("m", slots, outputs, tiling=tiling, receptive_radius=radius, stride=stride)


def total_weight(lattice: Lattice, length: int) -> np.ndarray:
    total = np.zeros(length)
    for index in range(lattice.count(length)):
        start = lattice.origin(index)
        inside = np.arange(max(start, 0), min(start + lattice.size, length))
        total[inside] += lattice.weights()[inside - start]
    return total


lattices = st.builds(
    lambda radius, stride, tile, ratio, overlap: make_lattice(
        card(radius, stride, tile, ratio=ratio), Compute(overlap=overlap)
    ),
    radius=st.one_of(st.none(), st.integers(0, 60)),
    stride=st.sampled_from([1, 2, 8, 16]),
    tile=st.integers(200, 300),
    ratio=st.sampled_from([1, 3]),
    overlap=st.one_of(st.none(), st.integers(0, 60)),
)


@given(lattices, st.integers(1, 2000))
def test_every_pixel_is_weighed_and_no_tile_leaves_the_lattice(lattice: Lattice, length: int) -> None:
    assert total_weight(lattice, length).min() > 0
    assert lattice.weights()[: lattice.edge].sum() == 0
    assert lattice.weights()[lattice.size - lattice.edge :].sum() == 0


@given(st.integers(0, 60), st.sampled_from([1, 4, 16]), st.sampled_from([1, 3]))
def test_origins_are_multiples_of_the_stride_and_of_every_ratio(radius: int, stride: int, ratio: int) -> None:
    lattice = make_lattice(card(radius, stride, ratio=ratio), Compute())
    for index in range(5):
        assert lattice.origin(index) % stride == 0
        assert lattice.origin(index) % ratio == 0
    assert lattice.lead >= radius, "the outer border needs a reflection of at least the receptive radius"


@given(lattices, st.integers(1, 1500), st.data())
def test_touching_names_exactly_the_tiles_that_weigh_in(lattice: Lattice, length: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    weights = lattice.weights()

    def weighs(index: int) -> bool:
        pixels = np.arange(start, stop) - lattice.origin(index)
        pixels = pixels[(pixels >= 0) & (pixels < lattice.size)]
        return bool((weights[pixels] > 0).any())

    assert list(lattice.touching(start, stop, length)) == [i for i in range(lattice.count(length)) if weighs(i)]


def test_a_blended_pair_of_tiles_sums_to_one() -> None:
    lattice = make_lattice(card(None, 1, 100), Compute(overlap=20))
    np.testing.assert_allclose(total_weight(lattice, 400)[20:380], 1, atol=1e-6)


def test_what_the_network_cuts_off_is_never_used() -> None:
    lattice = make_lattice(card(14, 4, 512, fixed=True, margin=14), Compute())
    assert lattice.edge == 14
    assert lattice.weights()[:14].sum() == 0


def test_a_tile_too_small_for_the_radius_is_refused_with_the_least_size() -> None:
    with pytest.raises(RequestError, match=r"at least 129.*compute\.tile"):
        make_lattice(card(64, 1), Compute(tile=100))


def test_another_tile_than_the_graph_takes_is_refused() -> None:
    with pytest.raises(RequestError, match="only tiles of 512"):
        make_lattice(card(8, 1, 512, fixed=True), Compute(tile=256))


@given(st.integers(-40, 40), st.integers(1, 80), st.integers(2, 30))
def test_reflection_is_numpys(start: int, count: int, length: int) -> None:
    before, after = max(0, -start), max(0, start + count - length)
    padded = np.pad(np.arange(length), (before, after), mode="reflect")
    np.testing.assert_array_equal(reflected(start, count, length), padded[start + before : start + before + count])


def test_blocks_cover_the_grid_once() -> None:
    layout = BlockLayout(height=1000, width=730, side=256)
    covered = np.zeros((1000, 730), int)
    for index in range(layout.count):
        window = layout.window(index)
        covered[window.row : window.row + window.height, window.col : window.col + window.width] += 1
    assert (covered == 1).all()


def test_the_tile_with_the_fewest_pixels_to_compute_is_taken():
    """4096 pixels are five steps of 824, which is less than six of the card's own size or than five of 912."""
    lattice = make_lattice(card(51, 8, 512), Compute(), (4096, 4096))
    assert (lattice.size, lattice.step, lattice.count(4096)) == (936, 824, 5)


@pytest.mark.parametrize("shape", [(300, 260), (1000, 1000), (5000, 700), (40_000, 40_000)])
@pytest.mark.parametrize("radius", [0, 51])
def test_no_other_tile_would_compute_much_less_and_no_smaller_one_as_little(shape, radius):
    """A tile costs its pixels and a few thousand besides."""
    unet = card(radius, 8, 512)

    def cost(lattice):
        return lattice.count(shape[0]) * lattice.count(shape[1]) * (lattice.size**2 + 8192)

    chosen = make_lattice(unet, Compute(), shape)
    assert 256 <= chosen.size <= 1024
    others = [make_lattice(unet, Compute(tile=size), shape) for size in range(256, 1025, 8)]
    least = min(map(cost, others))
    on_squares = radius == 0 and chosen.step % 256 == 0
    assert cost(chosen) <= (1.05 if on_squares else 1.025) * least
    assert on_squares or all(cost(other) > 1.025 * least for other in others if other.size < chosen.size)


@pytest.mark.parametrize("memory", [None, 1500, 2300, 2550, 2900, 3500])
def test_blocks_lie_on_the_squares_that_files_are_stored_in_where_that_costs_little(memory):
    step = make_lattice(card(0, 1), Compute(memory=memory), (12_688, 16_000)).step
    assert step == 512 or step < 440, "a low ceiling takes smaller tiles"


@pytest.mark.parametrize("shape", [(400, 400), (1000, 1000), (1300, 1300)])
def test_tiles_that_have_much_less_to_compute_lie_where_they_lie(shape):
    assert make_lattice(card(0, 1), Compute(), shape).step % 256 != 0


def test_a_model_without_a_known_radius_keeps_its_own_tile():
    assert make_lattice(card(None, 1, 320), Compute(), (5000, 5000)).size == 320


def test_a_lower_ceiling_never_makes_a_larger_tile():
    unet = card(51, 8, 512)
    sizes = [make_lattice(unet, Compute(memory=memory), (5000, 5000)).size for memory in range(100, 2000, 50)]
    assert sizes == sorted(sizes)
    assert sizes[0] <= 256


def test_a_low_ceiling_makes_small_tiles():
    unet = card(51, 8, 256)
    assert make_lattice(unet, Compute(memory=256), (5000, 5000)).size < make_lattice(unet, Compute(), (5000, 5000)).size
