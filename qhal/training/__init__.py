"""Training on whole data sets: many small QUBOs, whose size does not depend on the samples."""
