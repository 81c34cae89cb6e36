"""The ends of a transcript's connections: clients that call the gateway, carriers it calls."""
import select
import socket
import struct
import threading
import time

from smpp import Malformed, Pdu, encode

WAIT_S = 10  # for anything that must come; only a failing test ever waits so long


class Closed(Exception):
    pass


class Connection:
    """One TCP connection, seen as PDUs. Remembers which requests are still without a response."""

    def __init__(self, sock, name):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.name, self.buffer = sock, name, b""
        self.since, self.sequence = time.monotonic(), 0
        self.pending = b""   # of `name+`: leaves glued before the next `name>`
        self.queue = []      # received, not yet expected
        self.sent = []       # (name, sequence) of our requests without a response
        self.received = []   # the same of the gateway's
        self.answer_links = True
        self.deaf = False    # nobody looks at what still comes

    def next_sequence(self):
        self.sequence += 1
        return self.sequence

    def send(self, data, step=None):
        data, self.pending = self.pending + data, b""
        self.sock.settimeout(WAIT_S)
        try:
            if step is None:
                self.sock.sendall(data)
            for at in range(0, len(data) if step else 0, step or 1):
                self.sock.sendall(data[at:at + step])
                time.sleep(0.0003)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what comes next in the transcript says whether it may be closed

    def flood(self, data, octets_max):
        """Sends again and again without reading; returns what left before the other side stopped
        reading for a second, closed, or `octets_max` were through."""
        chunk, gone = data * max(1, 65536 // len(data)), 0
        self.sock.settimeout(1.0)
        try:
            while gone < octets_max:
                gone += self.sock.send(chunk[gone % len(data):])
        except OSError:
            pass
        return gone

    def _frame(self):
        if len(self.buffer) < 4:
            return None
        length = struct.unpack_from(">I", self.buffer)[0]
        if not 16 <= length <= 66560:
            raise Malformed(f"command_length {length}")
        if len(self.buffer) < length:
            return None
        frame, self.buffer = self.buffer[:length], self.buffer[length:]
        return frame

    def receive(self, timeout=None):
        """The next PDU; None after `timeout`; Closed at the end of the stream."""
        if self.queue:
            return self.queue.pop(0)
        until = time.monotonic() + (WAIT_S if timeout is None else timeout)
        while True:
            frame = self._frame()
            if frame:
                pdu = Pdu(frame)
                if pdu.name == "enquire_link" and self.answer_links:
                    self.send(encode("enquire_link_resp", {}, sequence=pdu.sequence))
                    continue
                return pdu
            self.sock.settimeout(max(0.0, until - time.monotonic()))
            try:
                data = self.sock.recv(65536)
            except (TimeoutError, BlockingIOError):
                return None
            except ConnectionResetError:
                raise Closed from None
            if not data:
                raise Closed
            self.buffer += data

    def close(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def call(address, name, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(WAIT_S)
    sock.connect(address)
    return Connection(sock, name)


class Listener:
    """Where the gateway finds one carrier. Until someone accepts, calls wait in the backlog."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.sock.getsockname()[1]

    def accept(self, name, timeout=None):
        self.sock.settimeout(WAIT_S if timeout is None else timeout)
        try:
            return Connection(self.sock.accept()[0], name)
        except TimeoutError:
            return None

    def close(self):
        self.sock.close()


class SteadyCarrier(threading.Thread):
    """A well-behaved carrier beside the transcript: it shows that others are served meanwhile."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener, self.messages, self.ending = Listener(), 0, False
        self.start()

    def run(self):
        while not self.ending:
            connection = self.listener.accept("steady", 0.1)
            try:
                while connection and not self.ending:
                    pdu = connection.receive(0.1)
                    if pdu:
                        self.answer(connection, pdu)
            except (Closed, Malformed, OSError):
                connection.close()

    def answer(self, connection, pdu):
        if pdu.is_response:
            return
        fields = {"message_id": f"steady-{self.messages}"} if pdu.name == "submit_sm" else {}
        connection.send(encode(pdu.name + "_resp", fields, sequence=pdu.sequence))
        if pdu.name != "submit_sm":
            return
        self.messages += 1
        text = (f"id:{fields['message_id']} sub:001 dlvrd:001 submit date:2601010000 "
                "done date:2601010000 stat:DELIVRD err:000 text:")
        receipt = {"esm_class": 4, "source_addr": pdu.fields["destination_addr"],
                   "destination_addr": pdu.fields["source_addr"], "short_message": text}
        connection.send(encode("deliver_sm", receipt, sequence=connection.next_sequence()))

    def close(self):
        self.ending = True
        self.join()
        self.listener.close()


def answer_unbinds(connections, ended, seconds):
    """Answers unbind on every connection until ended() or time is up: a polite world's end."""
    until = time.monotonic() + seconds
    open_ones = [c for c in connections if c.sock.fileno() >= 0]
    while not ended() and time.monotonic() < until:
        ready = select.select([c.sock for c in open_ones], [], [], 0.05)[0] if open_ones else []
        if not open_ones:
            time.sleep(0.01)
        for connection in [c for c in open_ones if c.sock in ready or c.queue]:
            try:
                pdu = connection.receive(0)
                if pdu and pdu.name == "unbind":
                    connection.send(encode("unbind_resp", {}, sequence=pdu.sequence))
            except (Closed, Malformed, OSError):
                connection.close()
                open_ones.remove(connection)
