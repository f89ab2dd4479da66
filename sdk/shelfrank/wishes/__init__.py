"""What the shopper says outright: more of this, never that."""
