"""GDAL's warper, set up for one file and one grid, as a warped VRT document.

A document rather than `rasterio.vrt.WarpedVRT`, because it says what the run needs and that class cannot: a
tolerance that stands for ``gdalwarp -et 0``, ground control points together with a given grid, chosen bands with a
nodata value each, a block size, and one resampling scale for all blocks.
Format: https://gdal.org/en/stable/drivers/raster/vrt.html and the output of ``gdalwarp -of VRT``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

#: The names GDAL's warper gives to the card's resampling words.
ALGORITHMS = {
    "nearest": "NearestNeighbour",
    "bilinear": "Bilinear",
    "cubic": "Cubic",
    "cubic_spline": "CubicSpline",
    "lanczos": "Lanczos",
    "average": "Average",
    "mode": "Mode",
}
#: Source pixels by which a pixel may be looked up beside its exact place: of a 30 m elevation model, 0.03 mm. That
#: takes a third of the time of transforming each pixel by itself.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Georeference:
    """What ties a file's pixels to the ground: one of a transform, ground control points, or RPC coefficients."""

    crs: CRS
    width: int
    height: int
    transform: Affine | None = None
    gcps: Sequence[GroundControlPoint] = ()
    rpc: Mapping[str, str] = field(default_factory=dict)

    @property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """xmin, ymin, xmax, ymax in `crs`; None without a transform."""
        if self.transform is None:
            return None
        corners = [self.transform @ (x, y) for x in (0, self.width) for y in (0, self.height)]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def resized(self, width: int, height: int) -> Georeference:
        """The same place seen with other pixels (an overview)."""
        x, y = self.width / width, self.height / height
        points = tuple(
            GroundControlPoint(point.row / y, point.col / x, point.x, point.y, point.z) for point in self.gcps
        )
        transform = None if self.transform is None else self.transform @ Affine.scale(x, y)
        return replace(self, width=width, height=height, transform=transform, gcps=points)


@dataclass(frozen=True)
class Warp:
    """One warp: chosen bands of one dataset onto one grid, as float32."""

    dataset: str
    """Name that GDAL opens."""
    overview: int | None
    """Overview level that is read in place of the full resolution."""
    georeference: Georeference
    bands: Sequence[int]
    nodata: Sequence[float | None]
    """For each band, the stored value that is nodata."""
    alpha: int | None
    alpha_maximum: float
    """Stored alpha that means opaque."""
    crs: CRS
    """Of the target."""
    transform: Affine
    width: int
    height: int
    resampling: str
    block: int
    """Side in pixels of the squares that are warped at once."""
    double: bool = False
    """Work in float64, for source types that float32 cannot hold."""
    scale: tuple[float, float] | None = None
    """Target pixels per source pixel along x and y; None lets GDAL measure it in each block."""


def warp_document(warp: Warp) -> str:
    """The XML that GDAL opens: the warped bands, NaN where invalid.

    Of a source with alpha, a band follows with the share of a pixel that is opaque (0 to 255); where that is 0 the
    others say nothing.
    """
    count = len(warp.bands)
    bands = "".join(_band(index + 1, "") for index in range(count))
    if warp.alpha is not None:
        bands += _band(count + 1, "<ColorInterp>Alpha</ColorInterp>")
    level = "" if warp.overview is None else f'<OOI key="OVERVIEW_LEVEL">{warp.overview}</OOI>'
    return (
        f'<VRTDataset rasterXSize="{warp.width}" rasterYSize="{warp.height}" subClass="VRTWarpedDataset">'
        f"<SRS>{escape(warp.crs.to_wkt())}</SRS><GeoTransform>{_numbers(warp.transform)}</GeoTransform>{bands}"
        f"<BlockXSize>{min(warp.block, warp.width)}</BlockXSize>"
        f"<BlockYSize>{min(warp.block, warp.height)}</BlockYSize>"
        f"<GDALWarpOptions><ResampleAlg>{ALGORITHMS[warp.resampling]}</ResampleAlg>"
        f"<WorkingDataType>{'Float64' if warp.double else 'Float32'}</WorkingDataType>{_options(warp)}"
        f'<SourceDataset relativeToVRT="0">{escape(warp.dataset)}</SourceDataset>'
        f"<OpenOptions>{level}</OpenOptions>"
        f"<Transformer>{_transformer(warp)}</Transformer>"
        f"<BandList>{_mappings(warp)}</BandList>{_alpha(warp)}</GDALWarpOptions></VRTDataset>"
    )


def _is_masked(warp: Warp) -> bool:
    """Whether the target needs a nodata value: where bands lack values each at other pixels.

    Without one GDAL takes kernels that know of no masks, wherever the source has none in reach: they answer the same in
    a third of the time, and leave NaN where nothing is written.
    """
    return warp.alpha is None and len(warp.bands) > 1 and any(value is not None for value in warp.nodata)


def _band(number: int, content: str) -> str:
    return f'<VRTRasterBand dataType="Float32" band="{number}" subClass="VRTWarpedRasterBand">{content}</VRTRasterBand>'


def _options(warp: Warp) -> str:
    options = {
        # gdalwarp's own way where only some bands of a pixel are nodata.
        "UNIFIED_SRC_NODATA": "PARTIAL",
        "ERROR_OUT_IF_EMPTY_SOURCE_WINDOW": "FALSE",
        # Half-transparent pixels are mixed with what stands there before, and nothing mixes with NaN.
        "INIT_DEST": "nan" if warp.alpha is None else "0",
    }
    if warp.alpha is not None:
        options |= {"DST_ALPHA_MAX": "255", "SRC_ALPHA_MAX": f"{warp.alpha_maximum:g}"}
    if warp.scale is not None:
        options |= {"XSCALE": repr(warp.scale[0]), "YSCALE": repr(warp.scale[1])}
    return "".join(f'<Option name="{name}">{value}</Option>' for name, value in options.items())


def _mappings(warp: Warp) -> str:
    target = "<DstNoDataReal>nan</DstNoDataReal>" if _is_masked(warp) else ""
    text = ""
    for number, (band, value) in enumerate(zip(warp.bands, warp.nodata, strict=True), start=1):
        source = "" if value is None else f"<SrcNoDataReal>{_number(value)}</SrcNoDataReal>"
        text += f'<BandMapping src="{band}" dst="{number}">{source}{target}</BandMapping>'
    return text


def _alpha(warp: Warp) -> str:
    if warp.alpha is None:
        return ""
    return f"<SrcAlphaBand>{warp.alpha}</SrcAlphaBand><DstAlphaBand>{len(warp.bands) + 1}</DstAlphaBand>"


def _transformer(warp: Warp) -> str:
    """Pixels of the target to pixels of the source: along rows interpolated to within `_TOLERANCE`, or exact.

    Exact for the nearest pixel, which on the edge of two is another one at any distance, and where there is no
    transform.
    """
    exact = (
        f"<GenImgProjTransformer>{_source_part(warp.georeference)}"
        f"<DstGeoTransform>{_numbers(warp.transform)}</DstGeoTransform>"
        f"<DstInvGeoTransform>{_numbers(~warp.transform)}</DstInvGeoTransform>"
        f"{_reprojection(warp.georeference, warp.crs)}</GenImgProjTransformer>"
    )
    if warp.georeference.transform is None or warp.resampling == "nearest":
        return exact
    return (
        f"<ApproxTransformer><MaxErrorForward>{_TOLERANCE}</MaxErrorForward>"
        f"<MaxErrorReverse>{_TOLERANCE}</MaxErrorReverse><BaseTransformer>{exact}</BaseTransformer></ApproxTransformer>"
    )


def _source_part(place: Georeference) -> str:
    if place.transform is not None:
        return (
            f"<SrcGeoTransform>{_numbers(place.transform)}</SrcGeoTransform>"
            f"<SrcInvGeoTransform>{_numbers(~place.transform)}</SrcInvGeoTransform>"
        )
    if place.gcps:
        points = "".join(
            f'<GCP Id="{i}" Pixel="{p.col!r}" Line="{p.row!r}" X="{p.x!r}" Y="{p.y!r}" Z="{p.z or 0.0!r}"/>'
            for i, p in enumerate(place.gcps)
        )
        # Order 0 lets GDAL choose the polynomial by the number of points, as gdalwarp does.
        return (
            "<SrcGCPTransformer><GCPTransformer><Order>0</Order><Reversed>0</Reversed>"
            f"<GCPList>{points}</GCPList></GCPTransformer></SrcGCPTransformer>"
        )
    items = "".join(f'<MDI key="{escape(key)}">{escape(value)}</MDI>' for key, value in place.rpc.items())
    return (
        "<SrcRPCTransformer><RPCTransformer><Reversed>0</Reversed><HeightOffset>0</HeightOffset>"
        "<HeightScale>1</HeightScale><PixErrThreshold>0.1</PixErrThreshold>"
        f"<Metadata>{items}</Metadata></RPCTransformer></SrcRPCTransformer>"
    )


def _reprojection(place: Georeference, target: CRS) -> str:
    if place.crs == target:
        return ""
    options = "".join(f'<Option key="{key}">{value}</Option>' for key, value in _proj_options(place).items())
    return (
        "<ReprojectTransformer><ReprojectionTransformer>"
        f"<SourceSRS>{escape(place.crs.to_wkt())}</SourceSRS><TargetSRS>{escape(target.to_wkt())}</TargetSRS>"
        f"<Options>{options}</Options></ReprojectionTransformer></ReprojectTransformer>"
    )


def _proj_options(place: Georeference) -> dict[str, str]:
    """The longitude around which the source lies; without it a layer across the antimeridian falls apart.

    gdalwarp tells PROJ the same; source: GDAL's GDALCreateGenImgProjTransformer2.
    """
    bounds = place.bounds
    if bounds is None or not place.crs.is_geographic:
        return {}
    west, east = bounds[0], bounds[2]
    if place.transform is None or east - west > 360.0 + abs(place.transform.a) + abs(place.transform.b):
        return {}
    return {"CENTER_LONG": repr((west + east) / 2)}


def _numbers(transform: Affine) -> str:
    return ",".join(repr(value) for value in transform.to_gdal())


def _number(value: float) -> str:
    return "nan" if math.isnan(value) else repr(float(value))
