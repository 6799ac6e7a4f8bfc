"""One run of the Deepness plugin on a whole raster, classes to polygons, in QGIS without a window; one JSON line.

    PYTHON benchmarks/in_qgis/deepness.py CHECKOUT MODEL RASTER --tile 512 --overlap 64

PYTHON imports ``qgis``, ``onnxruntime`` and ``cv2``: a virtual environment of QGIS's Python with
``--system-site-packages`` with ``numpy<2``, ``onnxruntime`` and ``opencv-python-headless``. CHECKOUT
is that of github.com/PUTvision/qgis-plugin-deepness. Starting QGIS is not counted, as its user has it open.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from unittest.mock import MagicMock

from qgis.core import QgsApplication, QgsProject, QgsRasterLayer


def main() -> None:
    """Run and print the seconds it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("raster", type=Path)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=64)
    choice = parser.parse_args()
    sys.path.insert(0, str(choice.checkout / "src"))
    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsRasterLayer(str(choice.raster), "bench")
    QgsProject.instance().addMapLayer(layer)
    began = time.perf_counter()
    processor = prepared(choice, layer)
    processor.run()
    seconds = time.perf_counter() - began
    shape = processor.get_result_img().shape
    print(json.dumps({"event": "result", "seconds": seconds, "shape": list(shape)}))


def prepared(choice: argparse.Namespace, layer: QgsRasterLayer) -> object:
    """Deepness's processor of the whole layer, as its dock sets it up."""
    from deepness.common.channels_mapping import ChannelsMapping, ImageChannelStandaloneBand
    from deepness.common.processing_overlap import ProcessingOverlap, ProcessingOverlapOptions
    from deepness.common.processing_parameters.map_processing_parameters import ProcessedAreaType
    from deepness.common.processing_parameters.segmentation_parameters import SegmentationParameters
    from deepness.processing.map_processor.map_processor_segmentation import MapProcessorSegmentation
    from deepness.processing.models.segmentor import Segmentor

    mapping = ChannelsMapping()
    mapping.set_image_channels([ImageChannelStandaloneBand(band, f"band {band}") for band in (1, 2, 3)])
    mapping.set_number_of_model_inputs_same_as_image_channels()
    model = Segmentor(str(choice.model))
    parameters = SegmentationParameters(
        resolution_cm_per_px=layer.rasterUnitsPerPixelX() * 100,
        tile_size_px=choice.tile,
        batch_size=1,
        local_cache=False,
        processed_area_type=ProcessedAreaType.ENTIRE_LAYER,
        mask_layer_id=None,
        input_layer_id=layer.id(),
        input_channels_mapping=mapping,
        postprocessing_dilate_erode_size=0,
        processing_overlap=ProcessingOverlap(ProcessingOverlapOptions.OVERLAP_IN_PIXELS, overlap_px=choice.overlap),
        pixel_classification__probability_threshold=0.0,
        model=model,
    )
    return MapProcessorSegmentation(rlayer=layer, vlayer_mask=None, map_canvas=MagicMock(), params=parameters)


if __name__ == "__main__":
    main()
