"""A client and a server of a few lines, for what the programs do not do."""
import socket
import struct
import threading

BIND_TRX, SUBMIT, DELIVER, UNBIND, ENQUIRE = 9, 4, 5, 6, 0x15
RESPONSE = 0x80000000


class Client:
    def __init__(self, port, command=BIND_TRX, system_id=b"shop", password=b"shop-pw"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sequence = 0
        self.buffer = b""
        body = system_id + b"\0" + password + b"\0\0\x34\0\0\0"
        self.bind_status = self.request(command, body)[1]

    def send(self, command, body=b"", sequence=None):
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        self.socket.sendall(struct.pack(">IIII", 16 + len(body), command, 0, sequence) + body)

    def receive(self, timeout=10):
        """(command, status, sequence, body), or None when the peer closed or was silent."""
        self.socket.settimeout(timeout)
        try:
            while len(self.buffer) < 4 or len(self.buffer) < self._length():
                got = self.socket.recv(65536)
                if not got:
                    return None
                self.buffer += got
        except (socket.timeout, ConnectionResetError):
            return None
        length = self._length()
        _, command, status, sequence = struct.unpack(">IIII", self.buffer[:16])
        body, self.buffer = self.buffer[16:length], self.buffer[length:]
        return command, status, sequence, body

    def _length(self):
        return struct.unpack(">I", self.buffer[:4])[0]

    def request(self, command, body=b""):
        self.send(command, body)
        return self.receive()

    def submit(self, destination, text, registered_delivery=1):
        self.send(SUBMIT, b"\0\1\1Shop\0\1\1" + destination + b"\0\0\0\0\0\0" +
                  bytes([registered_delivery, 0, 0, 0, len(text)]) + text)

    def close(self):
        self.socket.close()


class Server:
    """Binds one client, answers each submit_sm with `message_id`."""

    def __init__(self, message_id):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.message_id = message_id
        self.thread = threading.Thread(target=self._serve)

    def _serve(self):
        peer, _ = self.listener.accept()
        with peer, peer.makefile("rb") as octets:
            peer.settimeout(10)
            while len(header := octets.read(16)) == 16:
                length, command, _, sequence = struct.unpack(">IIII", header)
                octets.read(length - 16)
                body = {UNBIND: b"", SUBMIT: self.message_id + b"\0"}.get(command, b"one\0")
                peer.sendall(struct.pack(">IIII", 16 + len(body), command | RESPONSE, 0, sequence) +
                             body)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()
