#!/usr/bin/env bash
# The README's pictures, from those that the tests in a real QGIS took (build/screenshots): scaled, few colours, so that
# each stays under 300 kB. pictures.sh [--take] runs those tests first.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"
cd "$ROOT"

TAKEN=$BUILD/screenshots
SHOWN=docs/pictures
LARGEST=300000

if [[ ${1:-} == --take ]]; then
    QT_QPA_PLATFORM=offscreen .venv-qgis/bin/python -m pytest tests/end_to_end/test_looks.py \
        tests/end_to_end/test_drag_and_drop.py tests/end_to_end/test_training.py
fi

# picture NAME TAKEN [CONVERT OPTION...]: one picture of docs/pictures, beside its final name first.
picture() {
    local name=$1 taken=$TAKEN/$2.png draft
    shift 2
    [[ -e $taken ]] || die "$taken is missing; scripts/pictures.sh --take makes it."
    draft=$(mktemp "$BUILD/picture-XXXXXX.png")
    convert "$taken" "$@" -strip -dither None -colors 128 "PNG8:$draft"
    [[ $(stat -c %s "$draft") -le $LARGEST ]] || die "$name.png would have more than $LARGEST bytes; scale it down."
    chmod 644 "$draft"
    mv "$draft" "$SHOWN/$name.png"
}

mkdir -p "$SHOWN"
picture dock light-look-3-preview
picture running light-look-4-running
picture results light-look-5-finished
picture summary light-look-6-summary
# Without the line that holds the file's path.
picture import light-11-tried-bare -crop 1080x632+90+38 +repage
picture first-steps light-look-1-empty -crop 340x590+942+100 +repage
picture dark dark-look-3-preview
picture training light-train-5-trained -crop 980x620+140+10 +repage
ls -l "$SHOWN"
