"""Write the catalog, build a bundle, sign it. Only training signs; only the device verifies."""
