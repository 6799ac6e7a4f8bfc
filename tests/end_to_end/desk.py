"""Runs inside a real QGIS (``qgis --code``): tells a test where things are and what happens; the test clicks.

One JSON object a line over a local socket, both ways. A request ``{"ask": NAME, ...}`` gets ``{"answer": NAME, ...}``;
``{"event": NAME, ...}`` comes by itself.
"""

from __future__ import annotations

import json
import os
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Optional

from processing.gui.AlgorithmDialog import AlgorithmDialog
from qgis.core import (
    QgsContrastEnhancement,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsSettings,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication, QObject, QPoint, Qt, QTimer, QUrl
from qgis.PyQt.QtNetwork import QLocalSocket
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QMessageBox,
    QRadioButton,
    QScrollArea,
    QTextBrowser,
    QToolButton,
    QWidget,
)
from qgis.utils import iface, plugins


class Desk(QObject):
    """Answers the test's questions about this QGIS."""

    def __init__(self) -> None:
        super().__init__(iface.mainWindow())
        self.dock = iface.mainWindow().findChild(QWidget, "FusionMapperDock")
        self.dock.visibilityChanged.connect(lambda shown: self.tell("dock", shown=shown))
        self.dock.runs.run_changed.connect(self._on_run_changed)
        self.dock.engine.engine_changed.connect(lambda: self.tell("engine", text=self.dock.engine.text()))
        self._awaited: list[tuple[str, dict]] = []
        self._look_out = QTimer(self)
        self._look_out.setInterval(30)
        self._look_out.timeout.connect(self._on_look_out)
        iface.mapCanvas().mapCanvasRefreshed.connect(lambda: self.tell("drawn"))
        self._socket = QLocalSocket(self)
        self._socket.readyRead.connect(self._on_ready_read)
        self._socket.connectToServer(os.environ["FUSION_MAPPER_DESK"])
        self.tell("ready", pid=os.getpid(), display=os.environ["DISPLAY"], plugins=sorted(plugins))

    def tell(self, event: str, **facts: object) -> None:
        self._send({"event": event, **facts})

    def _send(self, message: dict) -> None:
        self._socket.write((json.dumps(message) + "\n").encode())
        self._socket.flush()

    def _on_ready_read(self) -> None:
        while self._socket.canReadLine():
            request = json.loads(bytes(self._socket.readLine()).decode())
            name = request.pop("ask")
            # QGIS would show an escaped exception in its message bar, and the test would wait in vain.
            try:
                answer = getattr(self, "ask_" + name)(**request) or {}
            except Exception:  # noqa: BLE001 - handed to the test, which shows it
                answer = {"fault": traceback.format_exc()}
            self._send({"answer": name, **answer})

    def _on_run_changed(self, number: int) -> None:
        run = self.dock.runs.run(number)
        facts = {"state": run.state.value, "percent": run.percent, "stage": run.stage, "sentence": run.sentence}
        self.tell("run", number=number, **facts)

    def ask_size(self, width: int, height: int) -> None:
        """Give the window this size, and the layers the room that the browser takes."""
        iface.mainWindow().findChild(QDockWidget, "Browser").hide()
        iface.mainWindow().showNormal()
        iface.mainWindow().setGeometry(0, 0, width, height)
        # Where no desktop shows its notifications, QGIS puts them into the message bar, over the plugin's own item.
        QgsSettings().setValue("minTaskLengthForSystemNotification", 3600, QgsSettings.Section.App)
        # Layers of a checkout in the temporary folder count as temporary, and QGIS would ask about them when it closes.
        QgsSettings().setValue("askToSaveMemoryLayers", False, QgsSettings.Section.App)

    def ask_load(self, layers: list) -> dict:
        """Load layers (source, name, provider), the last one on top; says which ones are valid."""
        valid = []
        for source, name, provider in layers:
            kind = QgsRasterLayer if provider == "gdal" else QgsVectorLayer
            layer = QgsProject.instance().addMapLayer(kind(source, name, provider))
            valid += [name] if layer.isValid() else []
        return {"valid": valid}

    def ask_look(self, extent: list, crs: str) -> None:
        """Show an extent in a CRS."""
        QgsProject.instance().setCrs(QgsCoordinateReferenceSystem(crs))
        iface.mapCanvas().setExtent(QgsRectangle(*extent))
        iface.mapCanvas().refresh()

    def ask_look_at(self, name: str) -> None:
        """Show all of a layer."""
        (layer,) = QgsProject.instance().mapLayersByName(name)
        iface.mapCanvas().setExtent(iface.mapCanvas().mapSettings().layerExtentToOutputExtent(layer, layer.extent()))
        iface.mapCanvas().refresh()

    def ask_on_map(self, x: float, y: float, crs: str) -> dict:
        """Where on the screen a place lies."""
        canvas = iface.mapCanvas()
        target = canvas.mapSettings().destinationCrs()
        change = QgsCoordinateTransform(QgsCoordinateReferenceSystem(crs), target, QgsProject.instance())
        place = canvas.getCoordinateTransform().transform(change.transform(QgsPointXY(x, y)))
        spot = canvas.mapToGlobal(QPoint(round(place.x()), round(place.y())))
        return {"x": spot.x(), "y": spot.y()}

    def ask_activate(self, name: str) -> None:
        """Make a layer the current one, as a click in the layer tree does."""
        (layer,) = QgsProject.instance().mapLayersByName(name)
        iface.setActiveLayer(layer)

    def ask_show_bands(self, name: str, bands: list) -> None:
        """Show a layer's bands as red, green and blue, stretched to what the layer holds."""
        (layer,) = QgsProject.instance().mapLayersByName(name)
        for put, band in zip(("setRedBand", "setGreenBand", "setBlueBand"), bands):
            getattr(layer.renderer(), put)(band)
        layer.setContrastEnhancement(QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum)
        layer.triggerRepaint()

    def ask_features(self, name: str) -> dict:
        """How many features a layer has for each value of its first field, unsaved ones too."""
        (layer,) = QgsProject.instance().mapLayersByName(name)
        return {"counts": dict(Counter(str(feature.attributes()[0]) for feature in layer.getFeatures()))}

    def ask_await_form(self) -> None:
        """Tell where the field of the form is, in which QGIS asks for the attributes of a new feature."""
        edit = self._attribute_field()
        if edit is None:
            QTimer.singleShot(20, self.ask_await_form)
            return
        spot = edit.mapToGlobal(edit.rect().center())
        self.tell("form", x=spot.x(), y=spot.y())

    @staticmethod
    def _attribute_field() -> Optional[QLineEdit]:
        forms = [widget for widget in QApplication.topLevelWidgets() if _kind(widget) == "QgsAttributeDialog"]
        edits = [edit for form in forms if form.isVisible() for edit in form.findChildren(QLineEdit)]
        return next((edit for edit in edits if edit.isVisible()), None)

    def ask_processing_form(self, name: str) -> dict:
        """Give Processing's open form a name; tells as `form_ready` that it has looked at the model, and of its end as
        `processed`.
        """
        forms = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, AlgorithmDialog)]
        (form,) = [widget for widget in forms if widget.isVisible()]
        form.setObjectName(name)
        form.algorithmFinished.connect(lambda fine, results: self.tell("processed", fine=fine, results=results))
        self._await_verdicts(form)
        return {"title": form.windowTitle(), "algorithm": form.algorithm().id()}

    def _await_verdicts(self, form: QWidget) -> None:
        """Verdicts on the model's slots push the fields below them down."""
        verdicts = form.findChild(QWidget, "FusionMapperFormVerdicts")
        ready = any(label.isVisible() for label in verdicts.findChildren(QLabel))
        QTimer.singleShot(50, partial(self.tell, "form_ready") if ready else partial(self._await_verdicts, form))

    def ask_parameter(self, form: str, parameter: str) -> dict:
        """The list of one of the parameters in Processing's form: where it is, and its entries."""
        widget = self._find(form).mainWidget().wrappers[parameter].wrappedWidget()
        combo = widget if isinstance(widget, QComboBox) else widget.findChild(QComboBox)
        combo.setObjectName(f"{form}_{parameter}")
        _reveal(combo)
        spot = combo.mapToGlobal(combo.rect().center())
        entries = [combo.itemText(index) for index in range(combo.count())]
        return {"x": spot.x(), "y": spot.y(), "entries": entries, "current": combo.currentText()}

    def ask_show_report(self, path: str) -> None:
        """Show a page in a window of QGIS, since there is no browser; tells its text as `page`."""
        page = _page_of(QUrl.fromLocalFile(path), lambda text: self.tell("page", text=text), iface.mainWindow())
        page.setWindowFlags(Qt.WindowType.Window)
        page.setObjectName("ReportPage")
        page.setGeometry(iface.mainWindow().geometry())
        page.show()

    def ask_paint(self) -> None:
        """Bring what has changed onto the screen."""
        QCoreApplication.processEvents()

    def ask_where(self, name: str, child: str = "", text: str = "") -> dict:
        """Centre on the screen of a widget, or of the tool button of an action, and whether it can be clicked there.

        With `child` or `text` of the widget within it that has this name, or of the button that has this text.
        """
        widget = self._find(name)
        widget = widget.findChild(QWidget, child) if child else widget
        if text:
            buttons = widget.findChildren(QAbstractButton)
            widget = next(button for button in buttons if button.text().replace("&", "") == text)
        center = widget.rect().center()
        seen = widget.isVisible() and widget.isEnabled() and widget.visibleRegion().contains(QPoint(center))
        spot = widget.mapToGlobal(center)
        return {"x": spot.x(), "y": spot.y(), "clickable": seen}

    def ask_state(self, name: str) -> dict:
        """Whether a widget is shown and enabled, and its text."""
        return self._state(self._find(name))

    def ask_await(self, name: str, facts: dict) -> None:
        """Tell of a widget as soon as it is like this."""
        self._awaited.append((name, facts))
        self._look_out.start()

    def _on_look_out(self) -> None:
        for name, facts in list(self._awaited):
            state = self._state(self._find(name))
            if all(fact in state[key] if key == "text" else state[key] == fact for key, fact in facts.items()):
                self._awaited.remove((name, facts))
                self.tell("met", name=name, **state)
        if not self._awaited:
            self._look_out.stop()

    @staticmethod
    def _state(widget) -> dict:
        if widget is None:
            return {"shown": False, "enabled": False, "text": "", "current": -1}
        text = next(
            (getattr(widget, way)() for way in ("currentText", "text", "windowTitle") if hasattr(widget, way)), ""
        )
        current = widget.currentIndex() if isinstance(widget, QComboBox) else -1
        return {"shown": widget.isVisible(), "enabled": widget.isEnabled(), "text": text, "current": current}

    def ask_reveal(self, name: str) -> None:
        """Scroll a widget into view, as its scroll bar does."""
        _reveal(self._find(name))

    def ask_take_keyboard(self, name: str) -> None:
        """Give the keyboard to a widget, as a click on it would."""
        self._find(name).setFocus(Qt.FocusReason.OtherFocusReason)

    def ask_focus(self) -> dict:
        """The name of what has the keyboard, or of the nearest thing around it that has one."""
        return {"name": _name(QApplication.focusWidget())}

    def ask_focusable(self, name: str) -> dict:
        """What the Tab key has to reach within a widget: all that is to be seen, is enabled and takes the keyboard."""
        inside = self._find(name).findChildren(QWidget)
        return {"names": sorted({_name(widget) for widget in inside if _takes_keyboard(widget)})}

    def ask_page(self, name: str) -> dict:
        """The text of a browser or of an area of text."""
        return {"text": self._find(name).toPlainText()}

    def ask_cut_off(self, name: str) -> dict:
        """Texts and buttons within a widget that have less room than they need; what scrolls away is not counted."""
        inside = [widget for kind in (QLabel, QAbstractButton) for widget in self._find(name).findChildren(kind)]
        shown = [widget for widget in inside if widget.isVisible() and widget.text()]
        return {"names": sorted(f"{_name(widget)}: {widget.text()}" for widget in shown if _lacks_room(widget))}

    def ask_nameless(self, name: str) -> dict:
        """Buttons without a text that lack a name for screen readers or a tooltip, and fields that nothing names."""
        root = self._find(name)
        named = {label.buddy() for label in root.findChildren(QLabel)}
        inside = [widget for widget in root.findChildren(QWidget) if widget.objectName().startswith("FusionMapper")]
        fields = [widget for widget in inside if _is_field(widget) and widget not in named]
        return {
            "icons": sorted({widget.objectName() for widget in inside if _is_icon(widget) and not _is_told(widget)}),
            "fields": sorted({widget.objectName() for widget in fields if not widget.accessibleName()}),
        }

    def ask_entries(self, name: str) -> dict:
        """The entries of a combo box."""
        combo = self._find(name)
        return {"entries": [combo.itemText(index) for index in range(combo.count())], "current": combo.currentIndex()}

    def ask_rows(self) -> dict:
        """What is chosen in each row of the dock, and the verdict on it."""
        rows = self.dock.slots.rows()
        return {"rows": {row.slot.name: [[layer.name() for layer in row.layers()], row.verdict.text] for row in rows}}

    def ask_tree(self) -> dict:
        """The layer tree: groups with their layers, each layer's legend."""
        groups = QgsProject.instance().layerTreeRoot().findGroups()
        return {"groups": {group.name(): [self._layer(node) for node in group.findLayers()] for group in groups}}

    def ask_close(self) -> None:
        """Close QGIS as its menu does; tells of the question that it asks before."""
        QgsProject.instance().setDirty(False)
        self._watch = QTimer(self)
        self._watch.timeout.connect(self._look_for_question)
        self._watch.start(20)
        QTimer.singleShot(0, iface.actionExit().trigger)

    def _look_for_question(self) -> None:
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox) and box.isVisible():
            self._watch.stop()
            yes = box.button(QMessageBox.StandardButton.Yes)
            spot = yes.mapToGlobal(yes.rect().center())
            self.tell("question", text=box.text(), x=spot.x(), y=spot.y())

    @staticmethod
    def _layer(node) -> dict:
        layer = node.layer()
        legend = iface.layerTreeView().layerTreeModel().layerLegendNodes(node)
        facts = {"name": node.name(), "visible": node.isVisible(), "legend": [entry.data(0) for entry in legend]}
        if isinstance(layer, QgsRasterLayer):
            block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
            rows, columns = range(0, layer.height(), 3), range(layer.width())
            facts["values"] = sorted({block.value(row, column) for row in rows for column in columns})
        else:
            facts["features"] = layer.featureCount()
        return facts

    @staticmethod
    def _find(name: str) -> QWidget:
        window = iface.mainWindow()
        for button in window.findChildren(QToolButton):
            action = button.defaultAction()
            if action is not None and action.objectName() == name and button.isVisible():
                return button
        return window.findChild(QWidget, name)


def _page_of(address: QUrl, shown: Callable[[str], None], parent: QWidget) -> QWidget:
    """A widget that shows a page; `shown` hears its text. As browsers do where QGIS still has WebKit."""
    try:
        from qgis.PyQt.QtWebKitWidgets import QWebView
    except ImportError:
        browser = QTextBrowser(parent)
        browser.setSource(address)
        QTimer.singleShot(0, lambda: shown(browser.toPlainText()))
        return browser
    view = QWebView(parent)
    view.loadFinished.connect(lambda _: shown(view.page().mainFrame().toPlainText()))
    view.load(address)
    return view


def _reveal(widget: QWidget) -> None:
    around = widget.parentWidget()
    while around is not None and not isinstance(around, QScrollArea):
        around = around.parentWidget()
    if around is not None:
        around.ensureWidgetVisible(widget)


def _kind(widget: QWidget) -> str:
    """QGIS's own class, which Python may know only as one above it."""
    return widget.metaObject().className()


def _name(widget) -> str:
    while widget is not None and not widget.objectName().startswith("FusionMapper"):
        widget = widget.parentWidget()
    return widget.objectName() if widget is not None else ""


def _lacks_room(widget: QWidget) -> bool:
    if type(widget).__name__ == "ElidedLabel":
        return False  # shortens its text by itself, and has the whole of it as its tooltip
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.height() < widget.heightForWidth(widget.width())
    least = widget.minimumSizeHint()
    return widget.width() < least.width() or widget.height() < least.height()


def _takes_keyboard(widget: QWidget) -> bool:
    # Within a group of radio buttons the arrow keys go on.
    if isinstance(widget, QRadioButton) and not widget.isChecked():
        return False
    by_tab = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None
    return by_tab and widget.isVisible() and widget.isEnabled()


def _is_icon(widget: QWidget) -> bool:
    if not isinstance(widget, QAbstractButton) or (widget.icon().isNull() and widget.text()):
        return False
    icon_only = isinstance(widget, QToolButton) and widget.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly
    return icon_only or not widget.text()


def _is_told(widget: QWidget) -> bool:
    return bool(widget.toolTip()) and bool(widget.accessibleName())


def _is_field(widget: QWidget) -> bool:
    return isinstance(widget, (QComboBox, QLineEdit, QAbstractSpinBox, QAbstractItemView))


desk = Desk()
