"""What integrators test with: a demo bundle, a fixed clock, a device in memory."""
