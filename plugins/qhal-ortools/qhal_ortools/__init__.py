"""OR-Tools' CP-SAT as an exact qhal oracle."""
