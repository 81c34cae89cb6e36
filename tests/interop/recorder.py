"""A TCP proxy that writes what passes as a capture file which tshark reads: no privileges needed.

Every chunk becomes one TCP segment with the sequence numbers of its stream, so that tshark puts
PDUs together as it would on the wire.
"""
import socket
import struct
import threading
import time

CALLER, CALLED = b"\x0a\0\0\x01", b"\x0a\0\0\x02"  # 10.0.0.1 calls 10.0.0.2
SYN, ACK, SYN_ACK, PSH_ACK = 0x02, 0x10, 0x12, 0x18
SEGMENT_MAX = 16384


class Capture:
    """A pcap file of raw IPv4 packets. Any thread may add to it."""

    def __init__(self, path):
        self.file, self.lock = open(path, "wb"), threading.Lock()
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))

    def add(self, packet):
        now = time.time()
        with self.lock:
            if not self.file.closed:
                self.file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(packet),
                                            len(packet)) + packet)

    def close(self):
        with self.lock:
            self.file.close()


class Stream:
    """One recorded connection: the caller's port names it, `port` is where SMPP is served."""

    def __init__(self, capture, caller_port, port):
        self.capture, self.ports, self.sequence = capture, (caller_port, port), [1, 1]
        self.lock = threading.Lock()
        for from_caller, flags in ((True, SYN), (False, SYN_ACK), (True, ACK)):
            self.packet(from_caller, flags, b"", 1 if flags & SYN else 0)

    def packet(self, from_caller, flags, data, behind=0):
        me = 0 if from_caller else 1
        source, target = (CALLER, CALLED) if from_caller else (CALLED, CALLER)
        acknowledged = self.sequence[1 - me] if flags & ACK else 0
        tcp = struct.pack(">HHIIBBHHH", self.ports[me], self.ports[1 - me],
                          self.sequence[me] - behind, acknowledged, 0x50, flags, 65535, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0x4000, 64, 6, 0, source,
                         target)
        self.capture.add(ip + tcp + data)

    def data(self, from_caller, data):
        with self.lock:
            for at in range(0, len(data), SEGMENT_MAX):
                part = data[at:at + SEGMENT_MAX]
                self.packet(from_caller, PSH_ACK, part)
                self.sequence[0 if from_caller else 1] += len(part)


class Recorder:
    """Listens on a free port of 127.0.0.1 and forwards to `target`, recording into `path`."""

    def __init__(self, path, target):
        self.capture, self.target, self.sockets = Capture(path), target, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                caller, (_, caller_port) = self.listener.accept()
            except OSError:
                return
            try:
                called = socket.create_connection(self.target)
            except OSError:
                caller.close()
                continue
            self.sockets += [caller, called]
            stream = Stream(self.capture, caller_port, self.port)
            for ends in ((caller, called, stream, True), (called, caller, stream, False)):
                threading.Thread(target=self.forward, args=ends, daemon=True).start()

    @staticmethod
    def forward(source, target, stream, from_caller):
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while data := source.recv(65536):
                stream.data(from_caller, data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for each in self.sockets:
            each.close()
        self.capture.close()
