"""What ``flatsort benchmark`` and ``flatsort tune`` are made of."""
