"""Antechamber sessions for Python applications.

`antechamber.wsgi` has the middleware for WSGI (Flask, Django), `antechamber.asgi` the one for ASGI (Starlette, FastAPI).
"""

from .errors import ProblemError
from .options import Cookie

__all__ = ["Cookie", "ProblemError"]
