"""Stands before the real one on daehwa's path: packages of the group `bench` bring it, and daehwa alone does not.

Where it is there, `msgspec` imports it, and it imports `inspect`, `ast` and `tokenize`: a tenth of a start.
"""

raise ImportError("It does not come with daehwa.")
