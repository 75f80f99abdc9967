"""The real data: two doors to the Brain Wide Map, what a download costs, and the files that have been fetched."""
