"""Runs a command in a network of its own, of which every packet is written down. For calls.rs.

calls.py FILE COMMAND...: FILE gets each packet that was sent, with its length in four bytes before it.
"""

import ctypes, fcntl, mmap, os, select, socket, struct, subprocess, sys

SIOCADDRT, SIOCSIFFLAGS, IFF_UP, RTF_UP = 0x890B, 0x8914, 1, 1
SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_OUTGOING, ETH_P_ALL = 263, 5, 6, 4, 3
# Each has room for one packet of this interface.
SLOT, SLOTS = 1 << 17, 512


def inet(host):
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(host))


control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
# Whoever calls anybody is heard here: all that is not this machine is said to be behind this interface.
device = ctypes.create_string_buffer(b"lo")
nowhere = [inet("0.0.0.0")] * 3
route = struct.pack("L16s16s16sHhLPhPLLH", 0, *nowhere, RTF_UP, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0)
fcntl.ioctl(control, SIOCADDRT, route)

packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
packets.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack("IIII", SLOT, SLOTS, SLOT, SLOTS))
ring = mmap.mmap(packets.fileno(), SLOT * SLOTS)
packets.bind(("lo", ETH_P_ALL))
at = 0


def write_down(file):
    global at
    while struct.unpack_from("L", ring, at * SLOT)[0] & 1:
        _, _, length, start, _, _, _ = struct.unpack_from("LIIHHII", ring, at * SLOT)
        if ring[at * SLOT + 32 + 10] == PACKET_OUTGOING:
            file.write(struct.pack(">I", length))
            file.write(ring[at * SLOT + start : at * SLOT + start + length])
        struct.pack_into("L", ring, at * SLOT, 0)
        at = (at + 1) % SLOTS


with open(sys.argv[1], "wb") as file:
    # One call of either kind that would be somebody's telling: they are seen.
    call = socket.socket()
    call.setblocking(False)
    call.connect_ex(("192.0.2.1", 443))
    control.sendto(b"where is it?", ("192.0.2.1", 53))
    command = subprocess.Popen(sys.argv[2:])
    ended = os.pidfd_open(command.pid)
    while ended not in select.select([packets, ended], [], [])[0]:
        write_down(file)
    write_down(file)
_, lost = struct.unpack("II", packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
sys.exit(command.wait() or (f"{lost} packets were lost" if lost else 0))
