"""Pairs requests with responses: events go in, exchanges come out, with their timing, their syscalls and failures.

`assemble` passes every other event through in its place, so that whoever consumes it sees one ordered stream. An
exchange is yielded when it is over, which may be long after the next one on another connection has begun;
`in_order` puts them back into the order of their requests.
"""

from tracer.exchanges.assembly import assemble, in_order
from tracer.exchanges.types import Call, Exchange, Growth, Item, Message, Negotiation, Party, Story, Timing

__all__ = [
    "Call",
    "Exchange",
    "Growth",
    "Item",
    "Message",
    "Negotiation",
    "Party",
    "Story",
    "Timing",
    "assemble",
    "in_order",
]
