#!/usr/bin/env bash
# Simulates a landscape seen from the air (1 m) and from space (10 m), maps land cover, fields and tree cover with the
# starter models through QGIS's own command line, compares the maps with the truth, and draws pictures of them.
# demo.sh [SIZE [REGION]]: pixels along a side of either scene, 4096 when not given. The starter models were trained
# in the regions 0 to 9; of those they never saw, 10 is like them, 11 is rockier and 12 drier, and mapped worse for it.
# All of it lands in build/demo.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"

SIZE=${1:-4096}
REGION=${2:-10}
DEMO=$BUILD/demo
ENGINE=$ROOT/.venv-engine/bin/python
MODELS=$ROOT/resources/models

# A profile of its own, so that the plugin runs whatever the user's QGIS has switched on.
make_profile() {
    mkdir -p "$DEMO/profile/plugins" "$DEMO/profile/profiles/default/QGIS"
    ln -sfn "$ROOT" "$DEMO/profile/plugins/fusion_mapper"
    printf '[PythonPlugins]\nfusion_mapper=true\nprocessing=true\n' >"$DEMO/profile/profiles/default/QGIS/QGIS3.ini"
}

in_qgis() {
    env QT_QPA_PLATFORM=offscreen QGIS_CUSTOM_CONFIG_PATH="$DEMO/profile" QGIS_PLUGINPATH="$DEMO/profile/plugins" \
        FUSION_MAPPER_ENGINE="$ENGINE" "$@"
}

qgis_process() {
    local found
    found=$(command -v qgis_process.bin || command -v qgis_process) || die "QGIS's command line qgis_process is missing."
    in_qgis "$found" "$@"
}

simulate() {
    local name=$1 gsd=$2
    "$ENGINE" "$ROOT/scripts/simulate.py" "$DEMO/$name" --size "$SIZE" --gsd "$gsd" --region "$REGION" --seed 77 \
        >"$DEMO/simulate-$name.log"
}

# map NAME SCENE MODEL ARGUMENT...: one run of the algorithm; what it says is kept beside its maps.
map() {
    local name=$1 scene=$DEMO/$2 model=$3 layer osm=()
    shift 3
    for layer in roads buildings waterways water landuse; do
        osm+=("--OSM=$scene/osm.gpkg|layername=$layer")
    done
    say "Mapping $name with $model"
    rm -rf "${DEMO:?}/$name"
    mkdir -p "$DEMO/$name"
    qgis_process run fusion_mapper:map --MODEL="$MODELS/$model.onnx" "${osm[@]}" --DEM="$scene/dem.tif" \
        --SUMMARY="$DEMO/$name/summary.csv" "$@" >"$DEMO/$name/qgis_process.log" 2>&1 ||
        { tail -n 30 "$DEMO/$name/qgis_process.log" >&2; die "The run failed; see $DEMO/$name/qgis_process.log."; }
}

mkdir -p "$DEMO"
make_profile
say "Simulating two scenes of $SIZE x $SIZE px, at 1 m and at 10 m"
simulate air 1 &
air=$!
simulate space 10
wait "$air"

map land_cover air landcover-rgbn-1m --IMAGERY="$DEMO/air/imagery.tif" --CLASSES="$DEMO/land_cover/classes.tif"
map fields space fields-10m --IMAGERY="$DEMO/space/imagery_early.tif" --IMAGERY="$DEMO/space/imagery_late.tif" \
    --CLASSES="$DEMO/fields/classes.tif" --FIELDS="$DEMO/fields/fields.gpkg"
map tree_cover space treecover-10m --IMAGERY="$DEMO/space/imagery_early.tif" \
    --REGRESSION="$DEMO/tree_cover/regression.tif"

"$ENGINE" "$ROOT/scripts/demo_score.py" "$DEMO" | tee "$DEMO/scores.txt"
in_qgis "$ROOT/.venv-qgis/bin/python" "$ROOT/scripts/demo_pictures.py" "$DEMO"
say "Took $SECONDS s. The scenes, maps and this run's logs are in $DEMO."
