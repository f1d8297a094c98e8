"""The objectives of a run together: their weights, and the model that all of them share."""
