"""The driver that keeps everything in memory; what it answers is the definition of what a program means."""

from ommi.drivers.memory.driver import MemoryDriver, from_url
from ommi.drivers.memory.forms import MEMORY
from ommi.drivers.memory.store import MemoryStore, MemoryTransaction

__all__ = ["MEMORY", "MemoryDriver", "MemoryStore", "MemoryTransaction", "from_url"]
