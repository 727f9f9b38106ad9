"""The AWS home: what is created, how it is packed, what it costs. Extra `aws`; imported by `daehwa deploy` alone."""
