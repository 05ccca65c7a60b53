"""Handlers that never break the editor: a failure goes to the log, the client gets an empty answer."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from pygls.exceptions import JsonRpcException

logger = logging.getLogger(__name__)


def guarded(handler: Callable[[Any], Any], empty: Callable[[], Any] = lambda: None) -> Callable[[Any], Any]:
    """The handler as a plain function (pygls marks what it registers, which a bound method does not allow).

    Errors that are meant for the client (JsonRpcException) and cancellation pass through.
    """
    name = getattr(handler, "__name__", "handler")
    if inspect.iscoroutinefunction(handler):

        async def wait(params: Any) -> Any:
            try:
                return await handler(params)
            except JsonRpcException:
                raise
            except Exception:
                logger.exception("%s failed", name)
                return empty()

        return wait

    def call(params: Any) -> Any:
        try:
            return handler(params)
        except Exception:
            logger.exception("%s failed", name)
            return empty()

    return call
