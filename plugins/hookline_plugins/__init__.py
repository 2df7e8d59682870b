"""The standard plugins, one module or package each.

They come in by the entry-point door (``hookline.plugins``) like everybody else's and use only
Hookline's public names; nothing here is privileged.
"""
