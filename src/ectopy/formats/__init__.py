"""Files of recordings and annotations."""
