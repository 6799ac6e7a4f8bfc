"""A small window of another program, from which a file can be dragged: ``drag_source.py FILE X Y WIDTH HEIGHT``.

It offers the file as a file manager does, as a list of URIs, by the display's own drag and drop (XDND), and says
``shown`` once it stands. It has to stay until what was dropped has been fetched.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qgis.PyQt.QtCore import QMimeData, Qt, QTimer, QUrl
from qgis.PyQt.QtGui import QDrag, QMouseEvent
from qgis.PyQt.QtWidgets import QApplication, QLabel


class DragSource(QLabel):
    """The file's name; drag it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.name)
        self._path = path
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWindowFlags(Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not event.buttons() & Qt.MouseButton.LeftButton:
            return
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(self._path))])
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)


def say_shown() -> None:
    sys.stdout.write("shown\n")
    sys.stdout.flush()


def main() -> None:
    path, place = Path(sys.argv[1]), [int(word) for word in sys.argv[2:6]]
    application = QApplication(sys.argv[:1])
    source = DragSource(path)
    source.setGeometry(*place)
    source.show()
    QTimer.singleShot(0, say_shown)
    application.exec()


main()
