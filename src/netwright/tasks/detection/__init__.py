"""Object detection: annotations in three formats, boxes, losses, scores, and a space of anchor-free detectors."""
