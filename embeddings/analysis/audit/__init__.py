"""What else than the disease could order the vectors by stage?"""

from .audit import ShortcutAudit, shortcuts
from .shortcut import LeftOut, ShortcutColumn

__all__ = [
    "LeftOut",
    "ShortcutAudit",
    "ShortcutColumn",
    "shortcuts",
]
