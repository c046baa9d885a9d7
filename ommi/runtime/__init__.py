"""The interpreter, and the pumps that make the calls it asks for."""
