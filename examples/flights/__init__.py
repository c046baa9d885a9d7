"""A week of flights out of New York: loaded into SQLite, asked about, replanned and rolled back."""
