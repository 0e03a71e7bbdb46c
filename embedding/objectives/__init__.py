"""Terms of losses, one file each."""
