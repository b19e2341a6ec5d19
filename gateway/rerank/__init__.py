"""The cross-encoder: a model that reads a query and a row together and says how well they fit."""
