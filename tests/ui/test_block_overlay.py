"""Pictures of blocks on a real canvas: where they are painted, in which colours, and that nothing stays."""

from __future__ import annotations

import pytest
from fusion_mapper.inference.events import Block
from fusion_mapper.ui.preview.block_overlay import BlockOverlay
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
    QgsReferencedRectangle,
)
from qgis.PyQt.QtGui import QColor, QImage

UTM, DEGREES = QgsCoordinateReferenceSystem("EPSG:32733"), QgsCoordinateReferenceSystem("EPSG:4326")
#: West and south of the blocks, near Cape Agulhas; one block is SIDE metres wide and high.
WEST, SOUTH, SIDE = 700_000.0, 6_200_000.0, 4000.0
COLORS = {(0, 0): "#cc0000", (1, 0): "#00cc00", (0, 1): "#0000cc"}


@pytest.fixture
def canvas(window):
    canvas = window.mapCanvas()
    canvas.setDestinationCrs(UTM)
    canvas.setExtent(QgsRectangle(WEST - SIDE, SOUTH - SIDE, WEST + 3 * SIDE, SOUTH + 3 * SIDE))
    return canvas


@pytest.fixture
def overlay(canvas):
    overlay = BlockOverlay(canvas)
    yield overlay
    overlay.close_down()


@pytest.fixture
def blocks(tmp_path) -> list[Block]:
    """Three blocks around a corner, each with a clear pixel row at its top; the fourth is not there."""
    made = []
    for number, ((column, row), color) in enumerate(COLORS.items()):
        image = QImage(16, 16, QImage.Format.Format_ARGB32)
        image.fill(QColor(color))
        for x in range(16):
            image.setPixelColor(x, 0, QColor(0, 0, 0, 0))
        picture = tmp_path / f"{number:08d}.png"
        assert image.save(str(picture))
        west, south = WEST + column * SIDE, SOUTH + row * SIDE
        crs = "EPSG:32733" if number else UTM.toWkt()
        made.append(Block(number, str(picture), (west, south, west + SIDE, south + SIDE), crs, "classes"))
    return made


@pytest.fixture
def shown(qtbot, overlay, blocks):
    for block in blocks:
        overlay.add(block)
    qtbot.waitUntil(lambda: overlay.count() == len(blocks))
    return overlay


def seen(canvas, column: float, row: float) -> str:
    """The colour at a place, counted in blocks from the south-western corner."""
    place = QgsPointXY(WEST + column * SIDE, SOUTH + row * SIDE)
    crs = canvas.mapSettings().destinationCrs()
    place = QgsCoordinateTransform(UTM, crs, QgsProject.instance()).transform(place)
    pixel = canvas.getCoordinateTransform().transform(place)
    color = canvas.grab().toImage().pixelColor(round(pixel.x()), round(pixel.y()))
    strongest = max((color.red(), "red"), (color.green(), "green"), (color.blue(), "blue"))
    return "none" if min(color.red(), color.green(), color.blue()) > 240 else strongest[1]


def everywhere(canvas) -> list[str]:
    """Near the corners of all blocks, where a block that is out of place would be seen."""
    near, far = 0.04, 0.9
    places = [
        (column + x, row + y) for column in (0, 1) for row in (0, 1) for x in (near, 1 - near) for y in (near, far)
    ]
    return [seen(canvas, *place) for place in places]


EXPECTED = ["red"] * 4 + ["blue"] * 4 + ["green"] * 4 + ["none"] * 4


def test_blocks_lie_where_they_belong(shown, canvas):
    assert everywhere(canvas) == EXPECTED
    assert seen(canvas, -0.04, 0.5) == seen(canvas, 0.5, -0.04) == seen(canvas, 0.5, 2.04) == "none"


def test_nodata_is_clear(shown, canvas):
    assert [seen(canvas, 0.5, 0.9), seen(canvas, 0.5, 0.97)] == ["red", "none"]


def test_blocks_follow_the_canvas_into_another_crs_and_back(shown, canvas):
    extent = QgsReferencedRectangle(canvas.extent(), UTM)
    canvas.setDestinationCrs(DEGREES)
    canvas.setReferencedExtent(extent)
    assert everywhere(canvas) == EXPECTED
    canvas.setDestinationCrs(UTM)
    canvas.setReferencedExtent(extent)
    assert everywhere(canvas) == EXPECTED


@pytest.mark.parametrize(
    "move",
    [
        lambda canvas: canvas.zoomByFactor(0.7),
        lambda canvas: canvas.zoomByFactor(3),
        lambda canvas: canvas.setRotation(30),
        lambda canvas: canvas.setCenter(QgsPointXY(WEST + SIDE * 0.6, SOUTH + SIDE * 1.3)),
        lambda canvas: canvas.window().resize(900, 500),
    ],
)
def test_blocks_follow_the_map(shown, canvas, move):
    everywhere(canvas)
    move(canvas)
    assert everywhere(canvas) == EXPECTED


def test_a_block_is_painted_anew_in_its_place(qtbot, shown, canvas, blocks):
    image = QImage(16, 16, QImage.Format.Format_ARGB32)
    image.fill(QColor("#00cc00"))
    assert image.save(blocks[0].picture)
    with qtbot.waitSignal(shown.picture_shown):
        shown.add(blocks[0])
    assert seen(canvas, 0.5, 0.5) == "green"
    assert shown.count() == 3


def test_nothing_stays_after_it_is_cleared(qtbot, shown, canvas, blocks):
    before = len(canvas.scene().items())
    shown.clear()
    assert shown.count() == 0
    assert len(canvas.scene().items()) == before - 1
    assert set(everywhere(canvas)) == {"none"}
    shown.add(blocks[0])
    qtbot.waitUntil(lambda: shown.count() == 1)


def test_what_was_still_loading_is_forgotten(qtbot, overlay, canvas, blocks):
    for block in blocks:
        overlay.add(block)
    overlay.clear()
    with qtbot.waitSignal(overlay.picture_shown):
        overlay.add(blocks[1])
    assert overlay.count() == 1


def test_a_picture_that_has_gone_or_is_none_is_passed_over(qtbot, overlay, blocks, tmp_path):
    (tmp_path / "00000000.png").unlink()
    (tmp_path / "00000001.png").write_bytes(b"no picture")
    for block in blocks:
        overlay.add(block)
    qtbot.waitUntil(lambda: overlay.count() == 1)


def test_a_block_without_a_place_in_the_map_crs_is_left_out(qtbot, overlay, canvas, blocks):
    canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    nowhere = Block(9, blocks[0].picture, (1e30, 1e30, 2e30, 2e30), "EPSG:32733", "classes")
    overlay.add(nowhere)
    overlay.add(blocks[0])
    qtbot.waitUntil(lambda: overlay.count() == 2)
    canvas.grab()
