"""One file a model: its config, its module, its registration. Models never import each other."""
