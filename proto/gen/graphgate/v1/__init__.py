"""Generated from proto/graphgate: never edited by hand."""
