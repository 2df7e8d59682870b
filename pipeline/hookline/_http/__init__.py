"""HTTP: the only place that imports an HTTP library.

Read ``transport`` first, the seam. Behind it stand three adapters: ``own_pool`` (our own connections),
``handed_in`` (a client of httpx or httpx2 that somebody gave us) and ``aiohttp``. ``responses``, ``network``,
``inflate``, ``proxies``, ``errors`` and ``pool_repair`` are what they share.
"""
