"""The whole way on a public data set."""
