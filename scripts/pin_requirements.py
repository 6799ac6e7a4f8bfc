"""Writes ``resources/requirements``: what the plugin installs for its users, pinned and hashed for every platform.

    uv run --no-project --with packaging scripts/pin_requirements.py

uv resolves each combination once for all platforms. What a combination has beyond the ones it builds upon becomes a
file of its own, so that an installation is a list of such files. Only wheels count: nothing is built on a user's
machine.
``sizes.json`` says what each file downloads by platform and Python; a combination without wheels is not in it.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import tomllib
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS, TARGET = ROOT / "scripts", ROOT / "resources" / "requirements"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
#: Our name of a platform, with what markers call its system and processor, and what wheels call both.
PLATFORMS = {
    "linux-x86_64": ("linux", "Linux", "x86_64", r"manylinux.*_x86_64$"),
    "linux-aarch64": ("linux", "Linux", "aarch64", r"manylinux.*_aarch64$"),
    "windows-amd64": ("win32", "Windows", "AMD64", r"win_amd64$"),
    "macos-arm64": ("darwin", "Darwin", "arm64", r"macosx_.*_(arm64|universal2)$"),
}
#: Bytes from which on a package is fetched by itself, so that an interruption costs little.
LARGE = 30_000_000
#: The last ONNX Runtime and torch of the package index that are built for CUDA 12.
CUDA12_RUNTIME, CUDA12_TORCH = "1.26.0", ("torch==2.10.0", "torchvision==0.25.0")
#: The newest one.
DIRECTML = "1.24.4"


def main() -> None:
    """Write all files."""
    engine, runtime = _engine()
    train = _train()
    old = [line for line in train if not re.match("torch(vision)?==", line)] + list(CUDA12_TORCH)
    layers = {
        "cpu": ([runtime], train),
        "cuda13": ([runtime.replace("onnxruntime", "onnxruntime-gpu[cuda,cudnn]")], train),
        "cuda12": ([f"onnxruntime-gpu[cuda,cudnn]=={CUDA12_RUNTIME}"], old),
        "directml": ([f"onnxruntime-directml=={DIRECTML}"], train),
    }
    TARGET.mkdir(parents=True, exist_ok=True)
    large: set[str] = set()
    sizes = {"tools": _write("tools", _lock(["pip"]))}
    base = _lock(engine)
    sizes["engine"] = _write("engine", base)
    for name, (runtimes, training) in layers.items():
        # Both at once, so that training fits the same CUDA.
        whole = _lock([*engine, *runtimes, *training], base)
        layer = _lock([*engine, *runtimes], [*base, *(one for one in whole if _key(one) not in map(_key, base))])
        sizes[name] = _write(name, _beyond(layer, base))
        sizes[f"{name}-train"] = _write(f"{name}-train", _beyond(whole, layer))
        large |= {one["name"] for one in whole if any(wheel["size"] > LARGE for wheel in _usable(one))}
    table = {"schema": 1, "large": sorted(large), "bytes": sizes}
    (TARGET / "sizes.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _engine() -> tuple[list[str], str]:
    lines = [line for line in (SCRIPTS / "requirements-engine.txt").read_text().splitlines() if "==" in line]
    runtime = next(line for line in lines if line.startswith("onnxruntime=="))
    return [line for line in lines if line != runtime], runtime


def _train() -> list[str]:
    lines = (SCRIPTS / "requirements-train.txt").read_text().splitlines()
    return [line for line in lines if "==" in line and not line.startswith(("pytest", "torchmetrics"))]


def _lock(requirements: list[str], pinned: list[dict] | None = None) -> list[dict]:
    """The packages that fulfil the requirements on every platform, at the pinned versions where there are some."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, limits, answer = (Path(folder) / name for name in ("wanted.in", "limits.txt", "pylock.toml"))
        wanted.write_text("\n".join(requirements))
        limits.write_text("\n".join(f"{one['name']}=={one['version']}" for one in pinned or [] if _single(one, pinned)))
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", PYTHONS[0], "--no-build"]
        command += ["--format", "pylock.toml", "--constraint", limits, "--output-file", answer, wanted]
        subprocess.run(command, check=True)
        return tomllib.loads(answer.read_text())["packages"]


def _single(one: dict, packages: list[dict]) -> bool:
    return sum(other["name"] == one["name"] for other in packages) == 1


def _key(package: dict) -> tuple[str, str]:
    return package["name"], package["version"]


def _beyond(packages: list[dict], base: list[dict]) -> list[dict]:
    """What `base` lacks; another version of the same package would contradict it."""
    there = {one["name"]: one["version"] for one in base}
    for one in packages:
        if there.get(one["name"], one["version"]) != one["version"]:
            raise SystemExit(f"{one['name']} is pinned as {there[one['name']]} and {one['version']}.")
    return [one for one in packages if one["name"] not in there]


def _write(name: str, packages: list[dict]) -> dict[str, dict[str, list[int]]]:
    lines = ["# Written by scripts/pin_requirements.py."]
    for one in packages:
        marker = f" ; {one['marker']}" if "marker" in one else ""
        hashes = sorted(wheel["hashes"]["sha256"] for wheel in _usable(one))
        if not hashes:
            raise SystemExit(f"{one['name']} {one['version']} has no wheels for any platform.")
        lines.append(f"{one['name']}=={one['version']}{marker} \\")
        lines += [f"    --hash=sha256:{digest} \\" for digest in hashes[:-1]] + [f"    --hash=sha256:{hashes[-1]}"]
    (TARGET / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return _sizes(packages)


def _usable(package: dict) -> list[dict]:
    return [
        wheel
        for wheel in package.get("wheels", [])
        if any(_fits(_name(wheel), platform, python) for platform in PLATFORMS for python in PYTHONS)
    ]


def _name(wheel: dict) -> str:
    return wheel["url"].rpartition("/")[2]


def _fits(wheel: str, platform: str, python: str) -> bool:
    interpreters, abis, systems = wheel.removesuffix(".whl").split("-")[-3:]
    if not any(tag == "any" or re.match(PLATFORMS[platform][-1], tag) for tag in systems.split(".")):
        return False
    own, minor = "cp" + python.replace(".", ""), int(python[2:])
    for tag in interpreters.split("."):
        if tag in ("py3", own) and {"none", "abi3", own} & set(abis.split(".")):
            return True
        older = re.fullmatch(r"cp3(\d+)", tag)
        if older and int(older[1]) <= minor and "abi3" in abis.split("."):
            return True
    return False


def _sizes(packages: list[dict]) -> dict[str, dict[str, list[int]]]:
    """Bytes to download and number of packages, by platform and Python."""
    sizes: dict[str, dict[str, list[int]]] = {}
    for platform in PLATFORMS:
        for python in PYTHONS:
            total = _size(packages, platform, python)
            if total is not None:
                sizes.setdefault(platform, {})[python] = total
    return sizes


def _size(packages: list[dict], platform: str, python: str) -> list[int] | None:
    system, name, processor, _ = PLATFORMS[platform]
    place = {
        "sys_platform": system, "platform_system": name, "platform_machine": processor, "python_version": python,
        "os_name": "nt" if system == "win32" else "posix", "python_full_version": f"{python}.0",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
    }  # fmt: skip
    wanted = [one for one in packages if "marker" not in one or Marker(one["marker"]).evaluate(place)]
    found = [[wheel["size"] for wheel in one["wheels"] if _fits(_name(wheel), platform, python)] for one in wanted]
    if not wanted or not all(found):
        return None
    return [sum(max(sizes) for sizes in found), len(wanted)]


if __name__ == "__main__":
    main()
