"""Spans of time as the logs of the original show them."""

from __future__ import annotations


def span_text(seconds: int) -> str:
    """Write a span of time: "2d", "2:05.09", "3h", "4.30", "5m", "6s"; nothing where zero ends it."""
    days, hours = seconds // 86400, seconds // 3600
    minutes, rest = seconds // 60 % 60, seconds % 60
    text = ""
    if days > 1:
        text = f"{days}d"
        hours -= days * 24
    if hours:
        text += str(hours)
        if not minutes and not rest:
            return text + "h"
        text += f":{minutes:02d}"
    elif minutes:
        text += str(minutes)
        if not rest:
            return text + "m"
    else:
        return text + f"{rest}s" if rest else text or "0"
    return text + (f".{rest:02d}" if rest else "")
