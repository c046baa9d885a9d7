"""The waist between programs and databases, and the drivers that come with Ommi."""
