"""Train shelfrank's models on aggregates and publish them as signed bundles.

The way of the data is the way of the folders: ``events`` → ``aggregates`` → ``models`` → ``export``
→ ``evaluate`` → ``publish``. Below ``aggregates`` no row is about one shopper.
"""
