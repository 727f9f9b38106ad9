"""The page's own dialect, under /api."""
