from __future__ import annotations

import fusion_mapper
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QEvent
from qgis.PyQt.QtWidgets import QAction, QDockWidget


def test_twenty_rounds_of_loading_leave_nothing(window, project):
    main = window.mainWindow()
    for _ in range(20):
        plugin = fusion_mapper.classFactory(window)
        plugin.initGui()
        assert QgsApplication.processingRegistry().providerById("fusion_mapper") is not None
        assert len(main.findChildren(QDockWidget)) == 1
        plugin.unload()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        assert main.findChildren(QDockWidget) == []
        assert main.findChildren(QAction, "FusionMapperToggleDock") == []
        assert window.window_actions == []
        assert QgsApplication.processingRegistry().providerById("fusion_mapper") is None
