#!/usr/bin/env bash
# A real QGIS with the plugin loaded, in a profile of its own:
#   run_qgis.sh [--xvfb WIDTHxHEIGHT] [--profiles FOLDER] [--theme NAME] [--off] \
#     [--code FILE.py] [--limit SECONDS] [QGIS ARGUMENT...]
#
# --xvfb      opens a virtual display of that size for it, and closes it afterwards
# --profiles  the folder that holds the profile; build/qgis when not given. An absent one is made.
# --theme     the look of a new profile, as QGIS's options name it: "Night Mapping"
# --off       leaves the plugin switched off: for what QGIS is like without it
# --code      a Python file that QGIS runs once its window stands. It ends QGIS itself:
#             QgsApplication.instance().quit(), or os._exit(CODE) to hand an exit code to the caller.
# --limit     ends QGIS after so long, with exit code 124 and a picture of the screen, stuck.png, beside the profile:
#             QGIS shows a plugin's error in a window, and waits for somebody to close it
# All else goes to QGIS: layers, a project.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environments.sh"

profiles=$BUILD/qgis
screen=
limit=
theme=
wanted=true
arguments=()
while [[ $# -gt 0 ]]; do
    case $1 in
    --xvfb) screen=$2 && shift 2 ;;
    --profiles) profiles=$2 && shift 2 ;;
    --limit) limit=$2 && shift 2 ;;
    --theme) theme=$2 && shift 2 ;;
    --off) wanted=false && shift ;;
    --code) arguments+=(--code "$(realpath "$2")") && shift 2 ;;
    *) arguments+=("$1") && shift ;;
    esac
done

# QGIS knows a plugin by its folder's name, and the checkout may have any.
mkdir -p "$profiles/plugins"
ln -sfn "$ROOT" "$profiles/plugins/fusion_mapper"
profiles=$(cd "$profiles" && pwd)

settings=$profiles/profiles/default/QGIS/QGIS3.ini
if [[ ! -e $settings ]]; then
    mkdir -p "$(dirname "$settings")"
    cat >"$settings" <<'INI'
[PythonPlugins]
fusion_mapper=true
processing=true

[core]
NewsFeed\httpsfeedqgisorg\disabled=true

[qgis]
checkVersion=false
showTips=false
INI
    [[ -z $theme ]] || printf '\n[UI]\nUITheme=%s\n' "$theme" >>"$settings"
fi
# QGIS switches a plugin off for good when it broke at the last start; here it is as it was asked for.
sed -i -e "s/^fusion_mapper=.*/fusion_mapper=$wanted/" -e '/^watchDog\\fusion_mapper=/d' "$settings"

open_display() {
    local number
    exec 8<> <(:)
    Xvfb -displayfd 8 -screen 0 "${screen}x24" -nolisten tcp >"$profiles/xvfb.log" 2>&1 &
    started+=($!)
    read -r -t 30 number <&8 || die "Xvfb did not start; see $profiles/xvfb.log."
    export DISPLAY=:$number
}

# Whoever ends this script also ends what it started.
started=()
close_down() {
    [[ ${#started[@]} -eq 0 ]] || kill "${started[@]}" 2>/dev/null || true
}
trap close_down EXIT
trap 'exit 143' TERM INT

if [[ -n $screen ]]; then
    open_display
elif [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
    die "There is no display to open QGIS on; scripts/run_qgis.sh --xvfb 1600x900 opens a virtual one."
fi

# A test run has set these for itself; a window needs the real thing.
unset QT_QPA_PLATFORM QGIS_CUSTOM_CONFIG_PATH
export QGIS_PLUGINPATH=$profiles/plugins
# In the background, because bash answers no signal while it waits for a foreground command.
qgis --nologo --noversioncheck --profiles-path "$profiles" --profile default \
    ${arguments[@]+"${arguments[@]}"} &
qgis=$!
started+=("$qgis")
sleep "${limit:-infinity}" >/dev/null 2>&1 &
timer=$!
started+=("$timer")

status=0
wait -n "$qgis" "$timer" || status=$?
if kill -0 "$qgis" 2>/dev/null; then
    import -window root "$profiles/stuck.png"
    say "QGIS did not end within $limit s; $profiles/stuck.png shows what it was at."
    status=124
fi
exit "$status"
