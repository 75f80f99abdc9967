"""What the lessons need besides the data: exercises that check themselves, and a statement of provenance."""
