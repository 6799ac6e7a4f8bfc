"""The real places: layers, labels in folds, classes, and how each is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from fusion_mapper.inference.job import Source, VectorLayer
from fusion_mapper.inference.learnjob import Labels, LearnTask, Place, Strategy, Training
from fusion_mapper.models.card import Channel, ClassInfo, OsmRecipe, Slot, TagRule
from pyproj import Transformer
from real_folds import blocks_of, folds_of, write_labels

#: 200 batches of 8 chips at most, whatever the labels; the best epoch by the training's own validation blocks is kept.
TRAINING = Training(epochs=10, steps=20, batch=8, chip=48, patience=4, validation=0.2, dropout=0.1, threads=1)


@dataclass(frozen=True)
class Fold:
    """What trains and what is left out, once."""

    number: int
    train: tuple[Place, ...]
    test: Place


@dataclass(frozen=True)
class Question:
    """One thing to learn at one place.

    Attributes:
        labels: prepared layer with the fields ``block``, ``fold`` and ``polygon``; None for the patches.
        value: field of `labels` that is learned.
        block: side in metres of the blocks that stay together.
    """

    name: str
    task: LearnTask
    folds: tuple[Fold, ...]
    strategies: tuple[Strategy, ...]
    block: float
    slots: tuple[Slot, ...] = ()
    classes: tuple[ClassInfo, ...] = ()
    labels: Path | None = None
    value: str = ""
    bounds: tuple[float, float] | None = None
    units: str = ""
    training: Training = field(default=TRAINING)

    @property
    def regression(self) -> bool:
        return self.task == "pixel-regression"


def _left_out(folds: int, name: str, sources: dict[str, Source], labels: Labels) -> tuple[Fold, ...]:
    """Each fold of a label layer left out once."""
    return tuple(
        Fold(
            number,
            (Place(name, sources, replace(labels, where=f"fold <> {number}")),),
            Place(name, sources, replace(labels, where=f"fold = {number}")),
        )
        for number in range(folds)
    )


def _read(path: Path, columns: list[str]) -> tuple[str, np.ndarray, dict[str, np.ndarray]]:
    meta, _, shapes, data = pyogrio.raw.read(path, columns=columns)
    return meta["crs"], shapely.from_wkb(shapes), dict(zip(meta["fields"], data, strict=True))


def _bands(path: Path, names: tuple[str, ...]) -> tuple[Source, Slot]:
    slot = Slot("imagery", "imagery", tuple(Channel(name) for name in names), "input")
    return Source(path=str(path), bands=tuple(range(1, len(names) + 1))), slot


def amazon(data: Path, folder: Path) -> list[Question]:
    """Four classes from 25 polygons: Sentinel-2, and elevation beside it."""
    home = data / "amazon_s2"
    crs, shapes, columns = _read(home / "trainingPolygons_sen2.gpkg", ["class"])
    to_utm = Transformer.from_crs(crs, "EPSG:32721", always_xy=True).transform
    shapes = shapely.transform(shapes, lambda xy: np.stack(to_utm(*xy.T), axis=1))
    names, kinds = np.unique(columns["class"].astype(str), return_inverse=True)
    blocks = blocks_of(shapes, 400.0)
    path = folder / "amazon" / "labels.gpkg"
    write_labels(path, shapes, "EPSG:32721", {"class": names[kinds]}, blocks, folds_of(blocks, kinds, 4))
    colors = {"dryout": "#dcbe82", "forest": "#146428", "village": "#c83c3c", "water": "#3c6edc"}
    bands = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
    imagery, slot = _bands(home / "sen2.tif", bands)
    terrain = (
        Channel("elevation", derivative="elevation"),
        Channel("slope", derivative="slope"),
        Channel("topographic position", derivative="tpi", radius=300.0),
    )
    dem = Slot("dem", "dem", terrain, "input", offset=len(bands), resampling="cubic", missing="fill")
    sources = {"imagery": imagery, "dem": Source(path=str(home / "srtm_sen2.tif"))}
    question = Question(
        name="amazon",
        task="semantic-segmentation",
        folds=_left_out(4, "amazon", sources, Labels(str(path), "labels", field="class")),
        strategies=("imagery", "stack"),
        block=400.0,
        slots=(slot, dem),
        classes=tuple(ClassInfo(i + 1, str(name), colors[name]) for i, name in enumerate(names)),
        labels=path,
        value="class",
    )
    return [question]


#: Land cover of the inventory in five classes, by BCLCS_LEVEL_4 (mixed wood with broadleaf); water by BCLCS_LEVEL_2.
_LEVEL_4 = {"conifer": ("TC",), "broadleaf": ("TB", "TM"), "shrub": ("SL", "ST"), "herb": ("HE", "HG")}
_COVER = {code: name for name, codes in _LEVEL_4.items() for code in codes}
COVER_CLASSES = (
    ClassInfo(1, "water", "#3c6edc"),
    ClassInfo(2, "conifer", "#146428"),
    ClassInfo(3, "broadleaf", "#8cc85a"),
    ClassInfo(4, "shrub", "#b48c3c"),
    ClassInfo(5, "herb", "#e6dc78"),
)


def inventory(data: Path) -> tuple[str, np.ndarray, dict[str, np.ndarray]]:
    """CRS, polygons and values (``cover``, ``closure`` %, ``height`` m) of Loon Lake's forest inventory."""
    wanted = ["BCLCS_LEVEL_2", "BCLCS_LEVEL_4", "CROWN_CLOSURE", "PROJ_HEIGHT_1"]
    crs, shapes, columns = _read(data / "loon_lake" / "vri2023.gpkg", wanted)
    cover = np.array([_COVER.get(str(value), "") for value in columns["BCLCS_LEVEL_4"]])
    cover[columns["BCLCS_LEVEL_2"].astype(str) == "W"] = "water"
    values = {"closure": columns["CROWN_CLOSURE"].astype(float), "height": columns["PROJ_HEIGHT_1"].astype(float)}
    return crs, shapes, {"cover": cover, **values}


def loon_sources(data: Path) -> tuple[dict[str, Source], tuple[Slot, ...]]:
    """Landsat, and the forest roads as OpenStreetMap tracks: the roads themselves, and how dense they are around."""
    home = data / "loon_lake"
    imagery, slot = _bands(home / "landsat.tif", ("band 1", "band 2", "band 3", "band 4"))
    tracks = (TagRule("highway", ("track",), geometry=("line",)),)
    channels = (
        Channel("roads", osm=OsmRecipe(tracks, all_touched=True)),
        Channel("road density", osm=OsmRecipe(tracks, all_touched=True, soften=9)),
    )
    roads = Slot("osm", "osm", channels, "input", offset=4, missing="fill")
    layer = VectorLayer(str(home / "roads.gpkg"), "roads", tags={"highway": "track"})
    return {"imagery": imagery, "osm": Source(layers=(layer,), name="forest roads")}, (slot, roads)


def loon(data: Path, folder: Path) -> list[Question]:
    """Land cover, crown closure and height of the forest inventory: Landsat, and roads beside it."""
    crs, shapes, values = inventory(data)
    sources, slots = loon_sources(data)
    questions = []
    for name, task, bounds, units in (
        ("cover", "semantic-segmentation", None, ""),
        ("closure", "pixel-regression", (0.0, 100.0), "%"),
        ("height", "pixel-regression", (0.0, 60.0), "m"),
    ):
        column = values[name]
        known = column != "" if name == "cover" else np.isfinite(column)
        kept, column = shapes[known], column[known]
        if name == "cover":
            kinds = np.unique(column, return_inverse=True)[1]
        else:
            kinds = np.digitize(column, np.quantile(column, (0.33, 0.67)))
        blocks = blocks_of(kept, 1000.0)
        path = folder / "loon" / f"{name}.gpkg"
        write_labels(path, kept, crs, {name: column}, blocks, folds_of(blocks, kinds, 4))
        questions.append(
            Question(
                name=f"loon-{name}",
                task=task,
                folds=_left_out(4, "loon", sources, Labels(str(path), "labels", field=name)),
                strategies=("imagery", "stack"),
                block=1000.0,
                slots=slots,
                classes=COVER_CLASSES if name == "cover" else (),
                labels=path,
                value=name,
                bounds=bounds,
                units=units,
            )
        )
    return questions


def nebraska(data: Path, folder: Path) -> list[Question]:
    """Field boundaries from 19 parcels on Landsat; what lies around a parcel and in none is background."""
    home = data / "nebraska"
    crs, shapes, _ = _read(home / "nebraska_fields_5070like.gpkg", [])
    blocks = blocks_of(shapes, 3000.0)
    folds = folds_of(blocks, np.zeros(len(shapes), int), 3)
    # The rings are cut by all parcels, so that a parcel that is left out is nowhere taught as background.
    rings = shapely.difference(shapely.buffer(shapes, 210.0), shapely.buffer(shapely.union_all(shapes), 30.0))
    kinds = np.repeat(["field", "background"], len(shapes))
    path = folder / "nebraska" / "labels.gpkg"
    write_labels(path, np.concatenate([shapes, rings]), crs, {"kind": kinds}, np.tile(blocks, 2), np.tile(folds, 2))
    imagery, slot = _bands(home / "sample_geotiff_custom_proj.tif", ("band 1", "band 2", "band 3"))
    labels = Labels(str(path), "labels", field="kind", width=60.0)
    question = Question(
        name="nebraska",
        task="field-boundaries",
        folds=_left_out(3, "nebraska", {"imagery": imagery}, labels),
        strategies=("imagery",),
        block=3000.0,
        slots=(slot,),
        labels=path,
        value="kind",
        training=replace(TRAINING, chip=64, epochs=15, patience=6),
    )
    return [question]


_PATCHES = ("id_000051", "id_000138", "id_000184")
_PATCH_CLASSES = (
    ClassInfo(1, "water", "#3c6edc"),
    ClassInfo(2, "tree", "#146428"),
    ClassInfo(3, "low vegetation", "#8cc85a"),
    ClassInfo(4, "barren", "#dcbe82"),
    ClassInfo(5, "impervious", "#c83c3c"),
    ClassInfo(6, "road", "#6e6e6e"),
)
#: Classes that each patch holds.
_HELD = {"id_000051": (1, 2, 3, 4, 6), "id_000138": (2, 3, 5), "id_000184": (2, 3, 5, 6)}


def chesapeake(data: Path, folder: Path) -> list[Question]:
    """Land cover of three NAIP patches, one left out at a time; what no other patch holds is not trained."""
    from real_patches import BANDS, write_patch

    slots: tuple[Slot, ...] = ()
    places = []
    for number, name in enumerate(_PATCHES):
        imagery, truth = write_patch(data / "chesapeake_naip" / f"{name}.hdf5", folder / "chesapeake", number)
        source, slot = _bands(imagery, tuple(BANDS))
        slots = (slot,)
        places.append(Place(name, {"imagery": source}, Labels(str(truth))))
    questions = []
    for number, left in enumerate(places):
        others = tuple(place for place in places if place is not left)
        held: set[int] = set().union(*(_HELD[place.name] for place in others))
        questions.append(
            Question(
                name="chesapeake",
                task="semantic-segmentation",
                folds=(Fold(number, others, left),),
                strategies=("imagery",),
                block=0.0,
                slots=slots,
                classes=tuple(info for info in _PATCH_CLASSES if info.value in held),
                training=replace(TRAINING, chip=64),
            )
        )
    return questions


PLACES: dict[str, Any] = {"amazon": amazon, "loon": loon, "nebraska": nebraska, "chesapeake": chesapeake}
