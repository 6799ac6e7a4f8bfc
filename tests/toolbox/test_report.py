"""The report of a run on real layers: one file that says what was made of what, and gives away nothing else."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.record import read_record
from fusion_mapper.toolbox.results.project import map_parameters
from fusion_mapper.toolbox.results.report import write_report
from qgis import processing
from qgis.core import QgsProcessingContext, QgsProcessingException, QgsProcessingModelAlgorithm, QgsProject
from qgis.PyQt.QtGui import QColor, QImage
from qgis_command import qgis_command

TOWN = "20.5160,20.5200,-34.0310,-34.0280 [EPSG:4326]"
WATER = "#3b6bdc"


class Page(HTMLParser):
    """The text, the tags and the addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def pictures(self) -> list[QImage]:
        found = [address.partition("base64,")[2] for address in self.addresses if address.startswith("data:image/png")]
        return [QImage.fromData(base64.b64decode(png)) for png in found]


@pytest.fixture(scope="module")
def finished(provider, engine_python, shared_data, tmp_path_factory):
    """The folder of a run over Swellendam, whose imagery lies in a folder that nobody needs to know of."""
    from qgis.core import QgsRasterLayer, QgsVectorLayer

    source = shared_data / "swellendam"
    hidden = tmp_path_factory.mktemp("hidden-place")
    shutil.copy(source / "3420B_2010_328_RGB_LATLNG.tif", hidden / "aerial.tif")
    project = QgsProject.instance()
    project.clear()
    imagery = QgsRasterLayer(str(hidden / "aerial.tif"), "Aerial <b>2010</b>")
    roads = QgsVectorLayer(f"{source}/training_data.gpkg|layername=roads", "roads", "ogr")
    project.addMapLayers([imagery, roads], False)
    folder = tmp_path_factory.mktemp("runs") / "run"
    context = QgsProcessingContext()
    context.setProject(project)
    products = {"classes": str(folder / "classes.tif")}
    parameters = map_parameters(
        "landcover-rgb-1m", imagery=[imagery], osm=[roads], products=products, EXTENT=TOWN, FOLDER=str(folder)
    )
    processing.run("fusion_mapper:map", parameters, context=context)
    project.clear()
    return folder


@pytest.fixture
def page(finished) -> Page:
    return Page(write_report(finished).read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else_and_runs_nothing(page):
    assert "script" not in page.tags
    assert all(address.startswith(("data:image/png;base64,", "https://")) for address in page.addresses)
    assert not page.tags & {"link", "iframe", "object", "embed", "form"}


def test_it_says_what_was_made_of_what(page, finished):
    record = read_record(finished)
    assert "Land cover, RGB, 1 m, Aerial <b>2010</b>" in page.text
    assert "Trained on simulated landscapes" in page.text
    assert "roads" in page.text
    assert "EPSG:4326" in page.text
    assert record.model_hash in page.text
    assert "© OpenStreetMap contributors" in page.text
    for sentence in record.warnings:
        assert sentence in page.text
    for row in record.areas[0].classes:
        assert f"{row.name} {row.area_ha:.2f} ha {row.share * 100:.1f} %" in page.text


def test_no_place_of_a_source_and_no_machine_is_given_away(finished):
    text = write_report(finished).read_text(encoding="utf-8")
    assert "hidden-place" not in text
    assert str(finished) not in text
    assert json.loads((finished / "run.json").read_text())["machine"] not in text


def test_the_map_lies_beside_the_imagery_in_its_colours(page, finished):
    imagery, mapped = page.pictures()
    assert imagery.size() == mapped.size()
    # Degrees are narrower east-west: 0.004° by 0.003° here are 369 m by 333 m.
    assert imagery.width() / imagery.height() == pytest.approx(369 / 333, rel=0.02)
    colors = {QColor(row.color).rgb() for row in read_record(finished).areas[0].classes}
    samples = [mapped.pixel(x, y) for x in range(5, mapped.width(), 40) for y in range(5, mapped.height(), 40)]
    assert sum(sample in colors for sample in samples) > 0.9 * len(samples)
    assert len({imagery.pixel(x, 100) for x in range(0, imagery.width(), 10)}) > 20


def test_a_run_whose_imagery_is_gone_still_has_its_map(finished, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(finished, moved)
    job = json.loads((moved / "run.job.json").read_text())
    job["sources"]["imagery"]["path"] = "gone.tif"
    (moved / "run.job.json").write_text(json.dumps(job))
    assert len(Page(write_report(moved).read_text(encoding="utf-8")).pictures()) == 1


def test_hostile_words_of_a_card_stay_words(finished, tmp_path):
    harmed = tmp_path / "harmed"
    shutil.copytree(finished, harmed)
    record = json.loads((harmed / "run.json").read_text())
    evil = "<script>alert(1)</script>$title"
    record["card"]["title"] = record["card"]["notice"] = record["attribution"][0] = evil
    record["areas"][0]["classes"][0].update(name=evil, color="red;background:url(http://x.example)")
    (harmed / "run.json").write_text(json.dumps(record))
    text = write_report(harmed).read_text(encoding="utf-8")
    assert "script" not in Page(text).tags
    assert evil in Page(text).text
    assert "x.example" not in text


def test_a_folder_without_a_run_is_told_in_a_sentence(tmp_path):
    with pytest.raises(RequestError, match="There is no finished run in"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_algorithm_writes_where_it_is_told(finished, context, tmp_path):
    results = processing.run(
        "fusion_mapper:report", {"FOLDER": str(finished), "REPORT": str(tmp_path / "page.html")}, context=context
    )
    assert results["REPORT"] == str(tmp_path / "page.html")
    assert results["AREA_HA"] == pytest.approx(read_record(finished).areas[0].area_ha)
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_algorithm_refuses_a_folder_without_a_run(provider, context, tmp_path):
    with pytest.raises(QgsProcessingException, match="There is no finished run in"):
        processing.run("fusion_mapper:report", {"FOLDER": str(tmp_path)}, context=context)


def test_a_model_maps_and_reports(provider, engine_python, context, ears, swellendam, tmp_path):
    """In the modeler, the report takes the run folder of the map before it."""
    from qgis.core import QgsProcessingModelChildAlgorithm
    from qgis.core import QgsProcessingModelChildParameterSource as Source

    folder = tmp_path / "run"
    given = {
        **map_parameters("landcover-rgb-1m", imagery=[swellendam["aerial"]]),
        "EXTENT": "20.5160,20.5165,-34.0310,-34.0306 [EPSG:4326]",
        "CLASSES": str(tmp_path / "classes.tif"),
        "FOLDER": str(folder),
    }
    mapped = QgsProcessingModelChildAlgorithm("fusion_mapper:map")
    mapped.setChildId("map")
    for name, value in given.items():
        mapped.addParameterSources(name, [Source.fromStaticValue(value)])
    report = QgsProcessingModelChildAlgorithm("fusion_mapper:report")
    report.setChildId("report")
    report.addParameterSources("FOLDER", [Source.fromChildOutput("map", "FOLDER")])
    report.addParameterSources("REPORT", [Source.fromStaticValue(str(tmp_path / "page.html"))])
    model = QgsProcessingModelAlgorithm("map and report", "map and report")
    model.addChildAlgorithm(mapped)
    model.addChildAlgorithm(report)
    _, ok = model.run({}, context, ears)
    assert ok, ears.errors
    assert "Land cover" in Page((tmp_path / "page.html").read_text(encoding="utf-8")).text


def test_qgis_process_writes_it_beside_the_run(finished, repository_root, tmp_path):
    (finished / "report.html").unlink(missing_ok=True)
    run = qgis_command(repository_root, tmp_path)
    done = run("run", "fusion_mapper:report", f"--FOLDER={finished}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"REPORT:\t.*report\.html", done.stdout)
    assert len(Page((finished / "report.html").read_text(encoding="utf-8")).pictures()) == 2
