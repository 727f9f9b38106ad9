"""HTTP/1.1 as a client, on asyncio and httptools: streams for providers, short requests for all else."""
