"""Wires Fusion Mapper into QGIS: provider, dock, options page; everything else lives in the rooms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction

from .toolbox.provider import FusionMapperProvider
from .toolbox.widgets import use_widgets

if TYPE_CHECKING:
    from qgis.gui import QgisInterface

    from .ui.dock import FusionDock
    from .ui.models.drop_handler import ModelDropHandler
    from .ui.options.page import OptionsFactory

ICON = Path(__file__).parent / "resources" / "icon.svg"
#: With what Processing's windows ask for parameters of these kinds; imported when one is opened.
FORM_WIDGETS = {"model": "processing.model.ModelWidget", "imagery": "processing.imagery.ImageryWidget"}


class FusionMapperPlugin:
    """What QGIS starts and stops; ``iface`` is None under ``qgis_process``."""

    def __init__(self, iface: QgisInterface | None) -> None:
        self._iface = iface
        self._provider: FusionMapperProvider | None = None
        self._dock: FusionDock | None = None
        self._action: QAction | None = None
        self._options: OptionsFactory | None = None
        self._drops: ModelDropHandler | None = None

    def initProcessing(self) -> None:
        """Register the algorithms; all that ``qgis_process`` calls."""
        self._provider = FusionMapperProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Register the algorithms, and put dock, button and options page into the main window."""
        use_widgets({kind: f"{__package__}.ui.{name}" for kind, name in FORM_WIDGETS.items()})
        self.initProcessing()
        self._add_dock()
        self._add_action()
        self._add_options()
        self._add_drops()

    def unload(self) -> None:
        """Take out everything that was put in, in the reverse order."""
        self._remove_drops()
        self._remove_options()
        self._remove_action()
        self._remove_dock()
        self._remove_provider()

    def _add_dock(self) -> None:
        # Here, because qgis_process has no use for widgets.
        from .ui.dock import FusionDock

        self._dock = FusionDock(self._iface, self._iface.mainWindow())
        self._iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self._dock)
        # QGIS restores docks after it has loaded the plugins: this one shows where the user left it open.
        self._dock.hide()

    def _add_action(self) -> None:
        self._action = QAction(QIcon(str(ICON)), self._tr("Fusion Mapper"), self._iface.mainWindow())
        self._action.setObjectName("FusionMapperToggleDock")
        self._action.setCheckable(True)
        self._action.setToolTip(self._tr("Map imagery, OpenStreetMap and elevation with a fusion model"))
        self._dock.setToggleVisibilityAction(self._action)
        self._iface.addToolBarIcon(self._action)  # the raster toolbar is hidden in a new profile
        # Not addPluginToRasterMenu: its submenu, here for a single entry, stays behind at every unload.
        self._iface.rasterMenu().addAction(self._action)

    def _add_options(self) -> None:
        from .ui.options.page import OptionsFactory

        self._options = OptionsFactory(self._dock.setup)
        self._options.settings_changed.connect(self._dock.take_settings)
        self._iface.registerOptionsWidgetFactory(self._options)

    def _add_drops(self) -> None:
        from .ui.models.drop_handler import ModelDropHandler

        self._drops = ModelDropHandler(self._dock.model.import_model)
        self._iface.registerCustomDropHandler(self._drops)

    def _remove_drops(self) -> None:
        if self._drops is None:
            return
        self._iface.unregisterCustomDropHandler(self._drops)
        self._drops = None

    def _remove_options(self) -> None:
        if self._options is None:
            return
        self._iface.unregisterOptionsWidgetFactory(self._options)
        self._options.deleteLater()
        self._options = None

    def _remove_action(self) -> None:
        if self._action is None:
            return
        self._iface.rasterMenu().removeAction(self._action)
        self._iface.removeToolBarIcon(self._action)
        self._action.deleteLater()
        self._action = None

    def _remove_dock(self) -> None:
        if self._dock is None:
            return
        self._dock.close_down()
        self._iface.removeDockWidget(self._dock)
        self._dock.deleteLater()
        self._dock = None

    def _remove_provider(self) -> None:
        if self._provider is None:
            return
        QgsApplication.processingRegistry().removeProvider(self._provider)
        self._provider = None
        use_widgets({})

    @staticmethod
    def _tr(text: str) -> str:
        return QCoreApplication.translate("FusionMapperPlugin", text)
