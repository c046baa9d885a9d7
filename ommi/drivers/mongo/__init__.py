"""MongoDB, by PyMongo's asynchronous client."""

from __future__ import annotations

from ommi.drivers.mongo.driver import MongoDriver
from ommi.drivers.mongo.url import from_url

__all__ = ["MongoDriver", "from_url"]
