"""One file a model: its config, its class, its registration. A model that is another one plus a term subclasses it."""
