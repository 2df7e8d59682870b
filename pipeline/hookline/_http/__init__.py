"""HTTP: the only place that imports an HTTP library.

Read ``transport`` first, the seam. Behind it stand three adapters: ``own_pool`` (our own connections, on
httpcore2), ``aiohttp`` (the same, on aiohttp) and ``handed_in`` (a client of httpx or httpx2 that somebody gave us);
``by_name`` chooses between the first two. Below ``own_pool`` lie ``network`` and ``async_network``, which touch
sockets, and ``connecting``, which gets them there. ``pinned`` carries the guarded fetch out. ``homes``,
``certificates``, ``proxies``, ``responses``, ``inflate``, ``errors``, ``cutoff``, ``tls_in_tls`` and ``pool_repair``
each do one thing for several of them.
"""
