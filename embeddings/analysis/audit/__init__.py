"""What else than the disease could order the vectors by stage?"""

from .audit import ShortcutAudit, shortcuts
from .one_quantity import one_quantity
from .shortcut import LeftOut, ShortcutColumn

__all__ = [
    "LeftOut",
    "ShortcutAudit",
    "ShortcutColumn",
    "one_quantity",
    "shortcuts",
]
