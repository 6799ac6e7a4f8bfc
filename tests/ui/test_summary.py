"""Summary and report of a real run, from its layers, before and after the project was saved, moved and opened again."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest
from fusion_mapper.inference.record import read_record
from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox.models import choose_model
from fusion_mapper.toolbox.results.project import add_run_to_project, map_parameters
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.results import desk as result_desk
from fusion_mapper.ui.results.desk import ResultDesk
from fusion_mapper.ui.results.summary_panel import SummaryPanel
from fusion_mapper.ui.results.summary_table import AREA, COLOR_ROLE, SHARE
from qgis import processing
from qgis.core import QgsProcessingContext, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QLocale, Qt
from qgis.PyQt.QtWidgets import QApplication, QFileDialog, QLabel, QPushButton, QTableView

PATIENCE = 60_000
TOWN = "20.5160,20.5200,-34.0310,-34.0280 [EPSG:4326]"
#: Metres from the corner of the Laos chip.
LAOS = 3000


@pytest.fixture(scope="module")
def engine_python() -> Path:
    """The engine's Python; absent it skips, except under CI."""
    root = Path(__file__).resolve().parents[2]
    python = Path(os.environ.get("FUSION_MAPPER_ENGINE") or root / ".venv-engine" / "bin" / "python")
    if not python.is_file():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"the engine's environment is not at {python}")
    return python


def mapped(folder: Path, model: str, imagery: list[QgsRasterLayer], product: str, name: str, **others) -> dict:
    project = QgsProject.instance()
    project.addMapLayers(imagery, False)
    context = QgsProcessingContext()
    context.setProject(project)
    products = {product: str(folder / name)}
    parameters = map_parameters(model, imagery=imagery, products=products, FOLDER=str(folder), **others)
    return processing.run("fusion_mapper:map", parameters, context=context)


@pytest.fixture(scope="module")
def finished(engine_python, shared_data, tmp_path_factory, qgis_app, qgis_processing):
    """The answer of a land-cover run, whose folder stands beside where projects are saved."""
    from fusion_mapper.toolbox.provider import FusionMapperProvider
    from qgis.core import QgsApplication

    provider = FusionMapperProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    QgsProject.instance().clear()
    aerial = QgsRasterLayer(str(shared_data / "swellendam" / "3420B_2010_328_RGB_LATLNG.tif"), "3420B")
    folder = tmp_path_factory.mktemp("work") / "run"
    answer = mapped(folder, "landcover-rgb-1m", [aerial], "classes", "classes.tif", EXTENT=TOWN)
    QgsProject.instance().clear()
    QgsApplication.processingRegistry().removeProvider(provider)
    return answer


@pytest.fixture
def desk(window, project):
    desk = ResultDesk(window, window.mainWindow())
    yield desk
    desk.close_down()


@pytest.fixture
def layer(finished, desk):
    """The class map of the run, in the project."""
    group = add_run_to_project(finished, choose_model(str(STARTERS / "landcover-rgb-1m.onnx")).card, "Land cover")
    return group.children()[0].layer()


def action(window, name: str):
    return next(one for one in window.layer_actions if one.objectName() == f"FusionMapperLayer{name}")


def opened(qtbot, window) -> SummaryPanel:
    qtbot.waitUntil(lambda: window.mainWindow().findChild(SummaryPanel) is not None, timeout=PATIENCE)
    return window.mainWindow().findChild(SummaryPanel)


def shown(panel: SummaryPanel) -> list[list[str]]:
    table = panel.findChild(QTableView, "FusionMapperSummaryTable").model()
    return [[table.index(row, column).data() for column in range(3)] for row in range(table.rowCount())]


@pytest.fixture
def panel(qtbot, window, layer) -> SummaryPanel:
    window.active_layer = layer
    action(window, "Summary").trigger()
    return opened(qtbot, window)


def test_a_result_layer_offers_its_summary_and_report_and_others_do_not(window, layer, aerial):
    assert {one.text() for one in window.layer_actions} == {"Show Summary", "Open Report"}
    assert all(layers == {layer.id()} for _, layers in window.layer_actions.values())


def test_the_summary_shows_areas_shares_and_credits(panel, finished):
    record = read_record(Path(finished["FOLDER"]))
    rows = shown(panel)
    assert [row[0] for row in rows] == [info.name for info in record.areas[0].classes]
    locale = QLocale()
    for row, info in zip(rows, record.areas[0].classes):
        assert locale.toDouble(row[1].removesuffix(" ha"))[0] == pytest.approx(info.area_ha, abs=0.006)
        assert locale.toDouble(row[2].removesuffix(" %"))[0] == pytest.approx(info.share * 100, abs=0.06)
    assert panel.findChild(QLabel, "FusionMapperSummaryTitle").text() == "Land cover, RGB, 1 m, 3420B"


def test_bars_are_drawn_in_the_colours_of_the_classes(panel):
    table = panel.findChild(QTableView, "FusionMapperSummaryTable")
    model = table.model()
    longest = max(range(model.rowCount()), key=lambda row: model.index(row, SHARE).data(Qt.ItemDataRole.UserRole))
    index = model.index(longest, SHARE)
    picture = table.grab(table.visualRect(index).translated(table.viewport().pos())).toImage()
    middle = picture.pixelColor(picture.width() * 3 // 4, picture.height() // 2)
    assert middle.name() == index.data(COLOR_ROLE)


def test_what_is_copied_is_a_table_with_heads_in_the_systems_numbers(qtbot, panel, finished):
    panel.findChild(QPushButton, "FusionMapperSummaryCopy").click()
    heads, *rows = [line.split("\t") for line in QApplication.clipboard().text().splitlines()]
    classes = read_record(Path(finished["FOLDER"])).areas[0].classes
    assert heads == ["Value", "Class", "Pixels", "Hectares", "Share"]
    assert [row[1] for row in rows] == [*(info.name for info in classes), "Nodata"]
    assert QLocale.system().toDouble(rows[0][3])[0] == pytest.approx(classes[0].area_ha, rel=1e-5)


def test_chosen_rows_are_copied_by_keys_in_the_order_shown(qtbot, panel):
    table = panel.findChild(QTableView, "FusionMapperSummaryTable")
    table.sortByColumn(AREA, Qt.SortOrder.DescendingOrder)
    names = [row[0] for row in shown(panel)]
    table.selectRow(0)
    panel.activateWindow()
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    rows = [line.split("\t") for line in QApplication.clipboard().text().splitlines()[1:]]
    assert [row[1] for row in rows] == names[:2]
    areas = [float(row[3].replace(",", ".")) for row in rows]
    assert areas == sorted(areas, reverse=True)


def test_the_table_is_saved_for_any_program(qtbot, panel, tmp_path, monkeypatch, desk):
    path = tmp_path / "areas.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path.with_suffix("")), ""))
    panel.findChild(QPushButton, "FusionMapperSummarySave").click()
    qtbot.waitUntil(lambda: path.exists() and not desk.working(), timeout=PATIENCE)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert sum(float(row["Share"]) for row in rows[:-1]) == pytest.approx(1, abs=1e-5)


def test_a_summary_is_not_opened_twice(qtbot, window, layer, desk, finished):
    desk.show_summary(Path(finished["FOLDER"]))
    desk.show_summary(Path(finished["FOLDER"]))
    panel = opened(qtbot, window)
    desk.show_summary(Path(finished["FOLDER"]))
    qtbot.waitUntil(lambda: not desk.working(), timeout=PATIENCE)
    assert window.mainWindow().findChildren(SummaryPanel) == [panel]


def test_the_report_is_written_and_opened(qtbot, window, layer, finished, monkeypatch):
    asked = []
    monkeypatch.setattr(
        result_desk.QDesktopServices, "openUrl", lambda url: asked.append(Path(url.toLocalFile())) or True
    )
    window.active_layer = layer
    action(window, "Report").trigger()
    qtbot.waitUntil(lambda: bool(asked), timeout=PATIENCE)
    assert asked == [Path(finished["FOLDER"]) / "report.html"]
    assert "Land cover" in asked[0].read_text(encoding="utf-8")


def test_where_nothing_opens_a_page_its_place_is_told(qtbot, window, layer, finished, monkeypatch):
    monkeypatch.setattr(result_desk.QDesktopServices, "openUrl", lambda _url: False)
    window.active_layer = layer
    action(window, "Report").trigger()
    bar = window.messageBar()
    qtbot.waitUntil(lambda: bar.currentItem() is not None, timeout=PATIENCE)
    assert str(Path(finished["FOLDER"]) / "report.html") in bar.currentItem().text()


def test_a_project_that_was_moved_with_its_runs_finds_them(qtbot, window, layer, project, finished, tmp_path):
    home = Path(finished["FOLDER"]).parent
    assert project.write(str(home / "project.qgz"))
    project.clear()
    moved = tmp_path / "elsewhere"
    shutil.copytree(home, moved)
    kept = home.rename(home.with_name("gone"))
    try:
        assert project.read(str(moved / "project.qgz"))
        (again,) = project.mapLayers().values()
        assert again.id() in next(iter(window.layer_actions.values()))[1]
        window.active_layer = again
        action(window, "Summary").trigger()
        assert opened(qtbot, window).folder == moved / "run"
    finally:
        project.clear()
        kept.rename(home)


def test_figures_outlive_the_run_s_record_and_its_report_says_what_is_missing(qtbot, window, layer, project, finished):
    folder = Path(finished["FOLDER"])
    expected = read_record(folder).areas
    saved = folder.with_name("left-behind.qgz")
    assert project.write(str(saved))
    project.clear()
    # As when QGIS ends after a run without a folder of its own, whose map went where the user said.
    aside = (folder / "run.json").rename(folder / "aside.json")
    try:
        assert project.read(str(saved))
        (again,) = project.mapLayers().values()
        window.active_layer = again
        action(window, "Summary").trigger()
        assert [row[0] for row in shown(opened(qtbot, window))] == [info.name for info in expected[0].classes]
        action(window, "Report").trigger()
        bar = window.messageBar()
        qtbot.waitUntil(lambda: bar.currentItem() is not None, timeout=PATIENCE)
        assert "There is no finished run in" in bar.currentItem().text()
    finally:
        project.clear()
        aside.rename(folder / "run.json")


def test_closing_down_leaves_nothing_behind(qtbot, window, project, finished):
    desk = ResultDesk(window, window.mainWindow())
    desk.show_summary(Path(finished["FOLDER"]))
    opened(qtbot, window)
    desk.close_down()
    assert window.layer_actions == {}
    qtbot.waitUntil(lambda: window.mainWindow().findChild(SummaryPanel) is None)


def test_a_regression_shows_its_figures_with_units(qtbot, engine_python, provider, window, desk, shared_data, tmp_path):
    bands = [
        QgsRasterLayer(str(shared_data / "laos_s2" / f"{band}.tif"), band) for band in ("B04", "B03", "B02", "B08")
    ]
    left, top = bands[0].extent().xMinimum() + LAOS, bands[0].extent().yMaximum() - LAOS
    extent = f"{left},{left + 1000},{top - 1000},{top} [EPSG:32648]"
    mapped(tmp_path / "run", "treecover-10m", bands, "regression", "regression.tif", EXTENT=extent)
    desk.show_summary(tmp_path / "run")
    table = opened(qtbot, window).findChild(QTableView, "FusionMapperSummaryTable").model()
    rows = {table.index(row, 0).data(): table.index(row, 1).data() for row in range(table.rowCount())}
    mean = read_record(tmp_path / "run").areas[0].statistics["mean"]
    assert rows["Mean"] == f"{QLocale().toString(mean, 'f', 2)} %"
    assert {"Lowest", "Highest", "Median", "Standard deviation"} <= set(rows)


def test_the_message_bar_offers_the_summary_of_a_run_that_ended(
    qtbot, engine_python, provider, window, project, aerial, tmp_path
):
    window.mapCanvas().setDestinationCrs(aerial.crs())
    window.mapCanvas().setExtent(QgsRectangle(20.5190, -34.0345, 20.5205, -34.0330))
    dock = FusionDock(window, window.mainWindow())
    dock.findChild(QgsFileWidget, "FusionMapperFolder").setFilePath(str(tmp_path))
    dock.model.open_file(STARTERS / "landcover-rgb-1m.onnx")
    run = dock.findChild(QPushButton, "FusionMapperRunButton")
    qtbot.waitUntil(run.isEnabled, timeout=PATIENCE)
    run.click()
    bar = window.messageBar()
    qtbot.waitUntil(lambda: bar.findChild(QPushButton, "FusionMapperBannerSummary") is not None, timeout=PATIENCE)
    bar.findChild(QPushButton, "FusionMapperBannerSummary").click()
    assert opened(qtbot, window).folder == dock.runs.run(1).request.folder
    dock.close_down()
