"""Refuses connections beyond this machine, and writes down who was to be reached, in every Python that is started with
this folder on PYTHONPATH and a file named by COURSE_SOCKET_LOG (see tests/test_loopback_only.py)."""

import ipaddress
import os
import sys

NAMES = ("getaddrinfo", "gethostbyname", "gethostbyaddr")  # a look-up of a name asks a server as well
ADDRESSES = ("connect", "sendto", "sendmsg")


def is_here(host):
    """Whether a host is this machine: localhost, 127.0.0.0/8, ::1, or none at all."""
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def watch(event, arguments):
    kind, _, call = event.partition(".")
    if kind != "socket" or call not in NAMES + ADDRESSES:
        return
    target = arguments[0] if call in NAMES else arguments[1]
    if call in ADDRESSES and not isinstance(target, tuple):  # a Unix socket, or a socket that is connected already
        return
    host = target[0] if isinstance(target, tuple) else target
    if not is_here(host):
        with open(os.environ["COURSE_SOCKET_LOG"], "a", encoding="utf-8") as log:
            log.write(f"{call} {host}\n")
        raise ConnectionRefusedError(f"{call}({host!r}) leads beyond this machine: the course runs without a network")


if os.environ.get("COURSE_SOCKET_LOG"):
    sys.addaudithook(watch)
