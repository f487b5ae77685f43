"""The plumbing that the lessons share."""
