"""The shopper's rights over the history on this device: see, erase, take along, bring along."""
