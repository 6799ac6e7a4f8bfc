"""What the user sets once, in QGIS's settings: one table of keys, and a function for reading and writing each.

Nothing has to be set for a first run. The device set here is what the panel offers first; Processing does not read it,
so that the same ``qgis_process`` call makes the same map in every profile. The memory ceiling counts wherever a run
names none of its own: it changes how a map is computed, never what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Optional, TypeVar

from qgis.core import QgsApplication, QgsSettings

Value = TypeVar("Value", str, int, bool)
PREFIX = "fusion_mapper/"


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """One value in QGIS's settings; its type is that of the default."""

    name: str
    default: Value

    @property
    def key(self) -> str:
        """Its full key."""
        return PREFIX + self.name

    def read(self) -> Value:
        """What is set; the default where nothing is, or something that was edited into no value of this type."""
        try:
            return QgsSettings().value(self.key, self.default, type=type(self.default))
        except TypeError:
            return self.default

    def write(self, value: Value) -> None:
        """Set it; the default takes the key out."""
        if value == self.default:
            QgsSettings().remove(self.key)
        else:
            QgsSettings().setValue(self.key, value)


ENGINE_PYTHON = Setting("engine_python", "")
TRAINER_PYTHON = Setting("trainer_python", "")
SETUP_PYTHON = Setting("setup_python", "")
LIBRARY_FOLDER = Setting("library_folder", "")
OUTPUT_FOLDER = Setting("output_folder", "")
DEVICE = Setting("device", "auto")
MEMORY_CEILING = Setting("memory_ceiling", 0)
SHOW_BLOCKS = Setting("show_blocks", True)

#: All of them: what the options page shows, and the windows that are opened from there.
SETTINGS = (
    ENGINE_PYTHON, TRAINER_PYTHON, SETUP_PYTHON, LIBRARY_FOLDER, OUTPUT_FOLDER, DEVICE, MEMORY_CEILING, SHOW_BLOCKS,
)  # fmt: skip


def data_folder() -> Path:
    """Where the profile keeps what Fusion Mapper stores: models, runs, the sample scene."""
    return Path(QgsApplication.qgisSettingsDirPath()) / "fusion_mapper"


def library_folder() -> Path:
    """Where models are installed; in the profile's data unless set."""
    chosen = LIBRARY_FOLDER.read().strip()
    return Path(chosen) if chosen else data_folder() / "models"


def set_library_folder(folder: Optional[Path]) -> None:
    """Install models there; None goes back to the profile."""
    LIBRARY_FOLDER.write(_text(folder))


def engine_python() -> str:
    """The engine's Python; empty lets `environment.find_engine` look for it."""
    return ENGINE_PYTHON.read().strip()


def set_engine_python(python: str) -> None:
    """Run the engine with that Python."""
    ENGINE_PYTHON.write(python.strip())


def trainer_python() -> str:
    """The Python that trains models; empty lets `environment.find_trainer` look for it."""
    return TRAINER_PYTHON.read().strip()


def set_trainer_python(python: str) -> None:
    """Train with that Python."""
    TRAINER_PYTHON.write(python.strip())


def setup_python() -> str:
    """The Python with which the engine's environment is made; empty lets one be found."""
    return SETUP_PYTHON.read().strip()


def set_setup_python(python: str) -> None:
    """Make the engine's environment with that Python."""
    SETUP_PYTHON.write(python.strip())


def default_device() -> str:
    """The device that the panel offers first, as a job calls it."""
    return DEVICE.read()


def set_default_device(device: str) -> None:
    """Have the panel offer that device first."""
    DEVICE.write(device)


def output_folder() -> Optional[Path]:
    """Where runs put their folders when none is named; None keeps them in the profile's data."""
    chosen = OUTPUT_FOLDER.read().strip()
    return Path(chosen) if chosen else None


def set_output_folder(folder: Optional[Path]) -> None:
    """Put the folders of runs there; None goes back to the profile."""
    OUTPUT_FOLDER.write(_text(folder))


def memory_ceiling() -> Optional[int]:
    """The engine's memory ceiling in MiB for runs that name none; None for no limit."""
    return max(MEMORY_CEILING.read(), 0) or None


def set_memory_ceiling(mebibytes: Optional[int]) -> None:
    """Limit the engine's memory; None for no limit."""
    MEMORY_CEILING.write(mebibytes or 0)


def show_blocks() -> bool:
    """Whether finished blocks are drawn on the map while a run goes on."""
    return SHOW_BLOCKS.read()


def set_show_blocks(shown: bool) -> None:
    """Draw finished blocks on the map, or do not."""
    SHOW_BLOCKS.write(shown)


def _text(folder: Optional[Path]) -> str:
    return str(folder) if folder else ""
