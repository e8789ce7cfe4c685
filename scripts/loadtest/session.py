"""One session as a plain client has it: one message at a time, resumed by its id, every reply checked."""

import json
import random
import time
import uuid

import gevent
import websocket

# Within this a message is answered, and a handshake.
ANSWER_SECONDS = 10
# Within this somebody accepts a session that wants to resume; a switch takes less.
RESUME_SECONDS = 20
# Longest pause between two attempts, whatever Retry-After says.
PAUSE_SECONDS = 2
# Closes that a client answers with a resume: draining, and Redis was slow.
RESUMABLE = {1001, 1013}


class Broken(Exception):
    """A promise of the service was not kept."""


class Moved(Exception):
    """The connection is over; the session goes on with the next one."""


class Session:
    def __init__(self, url, refused):
        self.id = str(uuid.uuid4())
        self.url = f"{url}/ws/chat/?session_id={self.id}"
        self.refused = refused  # told of each attempt that has to be repeated
        self.acknowledged = 0
        self.unanswered = 0  # sent; counted or not, a plain client can't know before the next reply
        self.resumed = False  # no reply yet on this connection
        self.socket = None

    def connect(self):
        """Opens the session's next connection, again and again for RESUME_SECONDS."""
        deadline = time.monotonic() + RESUME_SECONDS
        while True:
            try:
                self.socket = websocket.create_connection(self.url, timeout=ANSWER_SECONDS)
                self.resumed = True
                return
            except (OSError, websocket.WebSocketException) as error:
                if time.monotonic() > deadline:
                    raise Broken(f"nobody accepts the session: {error}") from error
                self.refused(str(error))
                gevent.sleep(random.uniform(0.1, PAUSE_SECONDS))

    def ask(self, text):
        """Sends one message and returns its count."""
        self.unanswered += 1
        try:
            self.socket.settimeout(ANSWER_SECONDS)
            self.socket.send(text)
        except (OSError, websocket.WebSocketException) as error:
            raise Moved(str(error)) from error
        count = self._receive(ANSWER_SECONDS)
        if count is None:
            raise Broken(f"no reply within {ANSWER_SECONDS} s")
        self._check(count)
        return count

    def listen(self, seconds):
        """Reads what comes unasked: heartbeats, or the end of the connection."""
        if self._receive(seconds) is not None:
            raise Broken("a reply to no message")

    def close(self):
        if self.socket is not None:
            self.socket.shutdown()
            self.socket = None

    def _check(self, count):
        lowest, highest = self.acknowledged + 1, self.acknowledged + self.unanswered
        if not self.resumed and count != lowest:
            raise Broken(f"count {count} after {self.acknowledged} on one connection")
        if not lowest <= count <= highest:
            raise Broken(f"count {count} after a resume, not {lowest} to {highest}")
        self.acknowledged, self.unanswered, self.resumed = count, 0, False

    def _receive(self, seconds):
        """The next count, or None if none came."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                self.socket.settimeout(left)
                opcode, data = self.socket.recv_data()
            except websocket.WebSocketTimeoutException:
                return None
            except (OSError, websocket.WebSocketException) as error:
                raise Moved(str(error)) from error
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self._closed(data)
            message = json.loads(data)
            if set(message) == {"count"}:
                return message["count"]
            if message.get("type") != "heartbeat" or "ts" not in message:
                raise Broken(f"not a reply and not a heartbeat: {data!r}")
        return None

    @staticmethod
    def _closed(data):
        code, reason = int.from_bytes(data[:2], "big"), data[2:].decode()
        if code in RESUMABLE:
            raise Moved(f"{code} {reason}")
        raise Broken(f"closed {code} {reason}")
